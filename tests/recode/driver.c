/* SPDX-License-Identifier: Apache-2.0
 *
 * The encoders under the sanitizers: reads jobs from standard input and writes what the encoders give. A job is a line
 * "CODEC SIZE SEED" and SIZE bytes of content; the answer is a line with the size, and the bytes. Content is given in
 * pieces, and output taken in pieces, whose sizes follow from SEED. Every buffer is as long as it is said to be.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recode.h"

static unsigned seed;

static size_t some_size(size_t most)
{
    static const size_t sizes[] = {1, 2, 5, 100, 512, 4096, 32768, 65535, 65536, 300000, 1 << 20};
    seed = seed * 1103515245u + 12345u;
    size_t size = sizes[(seed >> 16) % (sizeof sizes / sizeof *sizes)];
    return size < most ? size : most;
}

static void *needed(void *memory)
{
    if (memory == NULL)
        exit(3);
    return memory;
}

static unsigned char *made;
static size_t made_size, made_capacity;

static void keep(const unsigned char *data, size_t size)
{
    if (made_size + size > made_capacity) {
        made_capacity = 2 * (made_size + size);
        made = needed(realloc(made, made_capacity));
    }
    if (size > 0)
        memcpy(made + made_size, data, size);
    made_size += size;
}

static void encode(const char *codec, const unsigned char *content, size_t size)
{
    recode_context *context = needed(recode_new(codec));
    size_t position = 0, consumed, produced;
    int is_done = 0;
    made_size = 0;
    while (!is_done) {
        size_t capacity = some_size((size_t)1 << 20), given = some_size(size - position);
        unsigned char *output = needed(malloc(capacity)), *input = needed(malloc(given ? given : 1));
        memcpy(input, content + position, given);
        if (position < size) {
            int code = recode_write(context, input, given, output, capacity, &consumed, &produced);
            if (code != RECODE_OK || consumed > given || produced > capacity)
                exit(4);
            position += consumed;
        } else {
            int code = recode_finish(context, output, capacity, &produced);
            if ((code != RECODE_OK && code != RECODE_MORE) || produced > capacity)
                exit(5);
            is_done = code == RECODE_OK;
        }
        keep(output, produced);
        free(output);
        free(input);
    }
    recode_free(context);
}

int main(void)
{
    char codec[65];
    size_t size;
    recode_free(NULL);
    if (recode_new("unknown") != NULL || recode_knows("unknown"))
        return 6;
    while (scanf("%64s %zu %u", codec, &size, &seed) == 3 && getchar() == '\n') {
        unsigned char *content = needed(malloc(size ? size : 1));
        if (fread(content, 1, size, stdin) != size)
            return 7;
        encode(codec, content, size);
        printf("%zu\n", made_size);
        fwrite(made, 1, made_size, stdout);
        free(content);
    }
    free(made);
    return 0;
}
