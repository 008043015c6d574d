/* SPDX-License-Identifier: Apache-2.0 */
/* Finds and loads log modules. */
#include "logger/loader.h"

#include <dlfcn.h>
#include <limits.h>

static const char *const beside[] = {
	"/modules", "/modules/.libs", "/../libexec/ecelerity/modules",
};

static bool
program_dir(char *out, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", out, size - 1);
	char *slash;

	if (n < 0) {
		return false;
	}
	out[n] = '\0';
	slash = strrchr(out, '/');
	if (slash == NULL) {
		return false;
	}
	*slash = '\0';
	return true;
}

static bool
find_file(const char *name, char *out, size_t size)
{
	char dir[PATH_MAX];

	if (program_dir(dir, sizeof dir)) {
		for (size_t i = 0; i < ARRAY_LEN(beside); i++) {
			if ((size_t)snprintf(out, size, "%s%s/%s.so", dir,
			    beside[i], name) < size && access(out, R_OK) == 0) {
				return true;
			}
		}
	}
	return (size_t)snprintf(out, size, EC_LIBEXECDIR "/modules/%s.so",
	    name) < size && access(out, R_OK) == 0;
}

int
loader_load(const char *name, const struct logger_module **out,
    struct error *err_out)
{
	const struct logger_module *m;
	char path[PATH_MAX];
	void *handle;

	if (!find_file(name, path, sizeof path)) {
		error_set(err_out, ERROR_SYSTEM, "the log module %s.so is "
		    "neither in modules/ beside the logger nor in "
		    EC_LIBEXECDIR "/modules", name);
		return 0;
	}
	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (handle == NULL) {
		return error_set(err_out, ERROR_SYSTEM,
		    "cannot load the log module: %s", dlerror());
	}
	m = dlsym(handle, LOGGER_MODULE_SYMBOL);
	if (m == NULL || m->abi != LOGGER_MODULE_ABI || m->name == NULL ||
	    strcmp(m->name, name) != 0 || m->create == NULL ||
	    m->destroy == NULL) {
		dlclose(handle);
		return error_set(err_out, ERROR_CONFIG, "%s is no log module "
		    "for this logger (it needs version %u)", path,
		    LOGGER_MODULE_ABI);
	}
	*out = m;
	return 1;
}
