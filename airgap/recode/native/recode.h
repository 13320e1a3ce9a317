/* SPDX-License-Identifier: Apache-2.0
 *
 * The interface of the shared library: gzip streams of container layers, made again bit by bit.
 *
 * A context is one stream. It has a fixed size (recode_context_size) and no state outside itself, so contexts may be
 * used by many threads, each by one at a time. Nothing is allocated after recode_new.
 */
#ifndef RECODE_H
#define RECODE_H

#include <stddef.h>

#define RECODE_ABI_VERSION 1
#define RECODE_EXPORT __attribute__((visibility("default")))

enum {
    RECODE_OK = 0,    /* go on; recode_finish: everything was given */
    RECODE_MORE = 1,  /* recode_finish: there is more output than the caller's buffer took, call it again */
    RECODE_USAGE = 2, /* written to after recode_finish */
    RECODE_BROKEN = 3 /* an inner limit did not hold; the context gives nothing any more */
};

typedef struct recode_context recode_context;

RECODE_EXPORT int recode_abi_version(void);

/* Bytes of memory of each context. */
RECODE_EXPORT size_t recode_context_size(void);

/* NULL if the codec is unknown or there is no memory. */
RECODE_EXPORT recode_context *recode_new(const char *codec);

/* 1 if the library knows the codec. */
RECODE_EXPORT int recode_knows(const char *codec);

/* Take up to `size` bytes of `input`, and put up to `capacity` bytes of the gzip file into `output`. Call it again with
 * the rest until all input was consumed and less than `capacity` bytes were produced. */
RECODE_EXPORT int recode_write(recode_context *context, const unsigned char *input, size_t size, unsigned char *output,
                               size_t capacity, size_t *consumed, size_t *produced);

/* The input is complete: put the rest of the gzip file into `output`. */
RECODE_EXPORT int recode_finish(recode_context *context, unsigned char *output, size_t capacity, size_t *produced);

RECODE_EXPORT void recode_free(recode_context *context);

#endif
