/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control: what ec_console (or any program of the operator's) and the console
 * worker say to each other over the control socket, a Unix stream.
 *
 * A request is one line, a JSON object of at most CONTROL_REQUEST_MAX bytes:
 *
 *	{"command":"queue","args":["example.com","20"],"json":false}
 *
 * command	the command's words; args, its arguments, follow them
 * json		true: data objects; false (default): text for people
 * terminal	true: text in aligned columns; else columns end in tabs
 * colour	true: with the terminal's colours
 *
 * An answer is any number of lines with a part of it, then one that ends it:
 *
 *	{"text":"Uptime: 51\n"}		printed as it stands: it is US-ASCII
 *	{"data":{...}}			with json: one object of the answer
 *	{"ok":true}			or {"error":"One sentence.","ok":false}
 *
 * The next request is read when the answer before it has left.  After a line
 * that is no request the answer says why and the connection closes; so it
 * does for callers who may not ask, for those above CONTROL_CLIENTS_MAX and
 * for those who are slow: see struct clients_limits.
 */
#ifndef EC_CONTROL_H
#define EC_CONTROL_H

#include "common/base/base.h"

#define CONTROL_REQUEST_MAX 4096u	/* bytes of a line without its end */
#define CONTROL_WORDS_MAX 16u		/* words of command and args */
#define CONTROL_WORD_MAX 512u		/* bytes of one */
#define CONTROL_TEXT_MAX 16384u		/* bytes of one "text" */
#define CONTROL_ANSWER_MAX (4u << 20)	/* bytes of an answer, as data */
#define CONTROL_CLIENTS_MAX 64u

#endif
