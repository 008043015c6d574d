/* SPDX-License-Identifier: Apache-2.0 */
/* The grammar of ecelerity.conf.  Each action hands one item to the builder. */
%code top {
/* The skeleton's own code does not follow our warnings. */
#pragma GCC diagnostic ignored "-Wswitch-enum"
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#pragma GCC diagnostic ignored "-Wunused-but-set-variable"
}
%code requires {
#include "common/config/grammar.h"
}
%define api.pure full
%define api.prefix {gram_}
%define parse.error custom
%define parse.lac full
%param { struct grammar *g }

%union {
	struct token token;
	struct raw_value raw;
}

%token END 0 "the end of the file"
%token <token> WORD "a name or word" STRING "a quoted string"
%token <token> INCLUDE "include"
%token EQUALS "'='" OPEN_BRACE "'{'" CLOSE_BRACE "'}'"
%token OPEN_LIST "'('" CLOSE_LIST "')'" OPEN_DICT "'['" CLOSE_DICT "']'"
%type <token> text
%type <raw> value list dict list_parts dict_parts

%code {
int gram_lex(GRAM_STYPE *value, struct grammar *g);
static void gram_error(struct grammar *g, const char *text);

/* Far above what scopes and dictionaries of CONFIG_MAX_DEPTH need. */
#undef YYMAXDEPTH
#define YYMAXDEPTH 1000
#undef YYINITDEPTH
#define YYINITDEPTH 100
}

%%

file
	: items
	;

items
	: %empty
	| items item
	{
		if (g->b->stop) {
			YYABORT;
		}
	}
	;

item
	: WORD EQUALS value
	{
		builder_set(grammar_at(g, &$1), $1.text, &$3);
	}
	| WORD dict
	{
		builder_set(grammar_at(g, &$1), $1.text, &$2);
	}
	| INCLUDE text
	{
		builder_include(grammar_at(g, &$1), $2.text);
	}
	| head items CLOSE_BRACE
	{
		builder_close(g->b);
	}
	;

head
	: WORD OPEN_BRACE
	{
		builder_open(grammar_at(g, &$1), $1.text, SLICE(""), false);
		if (g->b->stop) {
			YYABORT;
		}
	}
	| WORD text OPEN_BRACE
	{
		builder_open(grammar_at(g, &$1), $1.text, $2.text, true);
		if (g->b->stop) {
			YYABORT;
		}
	}
	;

text
	: WORD
	| STRING
	| INCLUDE
	;

value
	: text
	{
		$$ = (struct raw_value){ .kind = RAW_TEXT, .text = $1.text };
	}
	| list
	| dict
	;

list
	: OPEN_LIST list_parts CLOSE_LIST
	{
		$$ = $2;
	}
	;

list_parts
	: %empty
	{
		$$ = (struct raw_value){ .kind = RAW_LIST };
	}
	| list_parts text
	{
		struct raw_value v = { .kind = RAW_TEXT, .text = $2.text };

		$$ = $1;
		grammar_append(g, &$$, NULL, &v);
	}
	;

dict
	: open_dict dict_parts CLOSE_DICT
	{
		$$ = $2;
		g->dicts--;
	}
	;

open_dict
	: OPEN_DICT
	{
		if (++g->dicts > CONFIG_MAX_DEPTH) {
			grammar_error(g, "dictionaries are nested more than "
			    "%u deep", CONFIG_MAX_DEPTH);
			YYABORT;
		}
	}
	;

dict_parts
	: %empty
	{
		$$ = (struct raw_value){ .kind = RAW_DICT };
	}
	| dict_parts text EQUALS value
	{
		$$ = $1;
		grammar_append(g, &$$, &$2, &$4);
	}
	;

%%

static void
gram_error(struct grammar *g, const char *text)
{
	/* What nests has bounds of its own: only memory can run out. */
	(void)g;
	panic("configuration parser: %s", text);
}

/* "'=', '{' or '['" of what the parser could take here. */
static void
expected_text(const yypcontext_t *ctx, char *out, size_t size)
{
	yysymbol_kind_t kinds[12];
	int n = yypcontext_expected_tokens(ctx, kinds, ARRAY_LEN(kinds));
	size_t at = 0;

	out[0] = '\0';
	for (int i = 0; i < n && at < size; i++) {
		int k = snprintf(out + at, size - at, "%s%s",
		    i == 0 ? "" : i + 1 < n ? ", " : " or ",
		    yysymbol_name(kinds[i]));

		at += k > 0 ? (size_t)k : 0;
	}
}

static int
yyreport_syntax_error(const yypcontext_t *ctx, struct grammar *g)
{
	yysymbol_kind_t found = yypcontext_token(ctx);
	char expected[256];

	if (g->told) {
		return 0;
	}
	expected_text(ctx, expected, sizeof expected);
	if (strcmp(expected, "'{'") == 0) {
		/* A name and a text: a scope, or an option without '='. */
		snprintf(expected, sizeof expected, "'{', or '=' before the "
		    "value,");
	}
	if (found == YYSYMBOL_YYEOF && g->b->depth > g->base_depth) {
		grammar_error(g, "the file ends, but the scope opened in line "
		    "%u is not closed: '}' is missing",
		    g->b->open_line[g->b->depth]);
	} else if (found == YYSYMBOL_EQUALS || found == YYSYMBOL_OPEN_BRACE) {
		grammar_error(g, "syntax error at %s: a name must stand before "
		    "it (is a value missing further up?)",
		    yysymbol_name(found));
	} else if (found == YYSYMBOL_WORD || found == YYSYMBOL_STRING) {
		int len = (int)EC_MIN(g->token.text.len, (size_t)60);

		grammar_error(g, "syntax error at '%.*s': %s is needed here",
		    len, g->token.text.ptr, expected);
	} else {
		grammar_error(g, "syntax error at %s: %s is needed here",
		    yysymbol_name(found), expected);
	}
	return 0;
}
