/* common/base/banned.h - functions that nobody here may call, and the few macros everybody may use.
 * Included by the compiler before every file (-include), so forgetting it is not possible. */
#ifndef GATEHOUSE_BASE_BANNED_H
#define GATEHOUSE_BASE_BANNED_H

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define UNUSED __attribute__((unused))
#define PRINTF_LIKE(at, first) __attribute__((format(printf, at, first)))

/* Unbounded, locale-bound or silent about errors. Use struct buf, struct slice and their functions. */
#undef strcpy
#undef strcat
#undef sprintf
#undef vsprintf
#undef strncpy
#undef strncat
#pragma GCC poison strcpy strcat sprintf vsprintf strtok strncpy strncat atoi atol atof gets

#endif
