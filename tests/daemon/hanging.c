/* A disk that hangs: fsync waits as long as the file $HANGING_DISK exists. For LD_PRELOAD. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

int fsync(int fd)
{
    int (*next)(int) = dlsym(RTLD_NEXT, "fsync");
    const char *gate = getenv("HANGING_DISK");

    while (gate && access(gate, F_OK) == 0)
        usleep(5000);
    return next(fd);
}
