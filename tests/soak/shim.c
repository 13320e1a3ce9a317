/* SPDX-License-Identifier: Apache-2.0 */
/* Loaded before the C library: from call number SOAK_AFTER on, the process finds its disk full (SOAK_FAULT=full),
 * read-only (read-only), or its clock SOAK_JUMP seconds ahead (clock). Only regular files fail: standard streams and
 * sockets go on working. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define REAL(name) static __typeof__(&name) real; if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static long calls;

static int is_fault(const char *kind) {
    const char *fault = getenv("SOAK_FAULT"), *after = getenv("SOAK_AFTER");
    return fault && after && !strcmp(fault, kind) && __sync_add_and_fetch(&calls, 1) > atol(after);
}

/* 0, or the error of a call that makes or changes something on the disk. */
static int change_error(int needs_space) {
    if (is_fault("read-only")) return EROFS;
    return needs_space && is_fault("full") ? ENOSPC : 0;
}

static int is_file(int fd) {
    struct stat found;
    return !fstat(fd, &found) && S_ISREG(found.st_mode);
}

#define REFUSE_IF(failure) do { int error = (failure); if (error) { errno = error; return -1; } } while (0)
#define REFUSE_WRITE(fd) REFUSE_IF(is_file(fd) ? change_error(1) : 0)

ssize_t write(int fd, const void *bytes, size_t count) {
    REAL(write);
    REFUSE_WRITE(fd);
    return real(fd, bytes, count);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
    REAL(pwrite64);
    REFUSE_WRITE(fd);
    return real(fd, bytes, count, offset);
}

ssize_t writev(int fd, const struct iovec *pieces, int number) {
    REAL(writev);
    REFUSE_WRITE(fd);
    return real(fd, pieces, number);
}

int posix_fallocate64(int fd, off64_t offset, off64_t length) {
    REAL(posix_fallocate64);
    int error = is_file(fd) ? change_error(1) : 0;
    return error ? error : real(fd, offset, length);
}

int ftruncate64(int fd, off64_t length) {
    REAL(ftruncate64);
    REFUSE_IF(is_file(fd) ? change_error(0) : 0);
    return real(fd, length);
}

int fsync(int fd) {
    REAL(fsync);
    REFUSE_WRITE(fd);
    return real(fd);
}

int open64(const char *path, int flags, ...) {
    REAL(open64);
    va_list more;
    va_start(more, flags);
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(more, mode_t) : 0;
    va_end(more);
    struct stat found;
    int is_device = !stat(path, &found) && !S_ISREG(found.st_mode) && !S_ISDIR(found.st_mode);
    if (flags & (O_WRONLY | O_RDWR | O_CREAT) && !is_device) REFUSE_IF(change_error(!!(flags & O_CREAT)));
    return real(path, flags, mode);
}

int rename(const char *source, const char *target) {
    REAL(rename);
    REFUSE_IF(change_error(1));
    return real(source, target);
}

int unlink(const char *path) {
    REAL(unlink);
    REFUSE_IF(change_error(0));
    return real(path);
}

int mkdir(const char *path, mode_t mode) {
    REAL(mkdir);
    REFUSE_IF(change_error(1));
    return real(path, mode);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    REAL(clock_gettime);
    int result = real(clock, now);
    if (!result && clock == CLOCK_REALTIME && is_fault("clock")) now->tv_sec += atol(getenv("SOAK_JUMP"));
    return result;
}
