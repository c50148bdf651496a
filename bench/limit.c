/* The limit: what accept, read, write and close alone cost. It knows no policy and answers each query alike.
 *
 * limit SOCKET
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 4096, LINE_BYTES = 64 * 1024 };

static const char REPLY[] =
    "verdict=reject code=550 reason=rdns-tld ref=7KQ2M9D4 want=\"\" "
    "message=\"5.7.1 mail from mx.example.sa is not accepted here (ref=7KQ2M9D4)\" log=\"rdns_tld: sa\"\n";

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void serve(int client)
{
    char line[LINE_BYTES];
    size_t have = 0;
    while (have < sizeof line) {
        ssize_t got = read(client, line + have, sizeof line - have);
        if (got <= 0)
            break;
        have += (size_t)got;
        if (memchr(line + have - got, '\n', (size_t)got))
            break;
    }
    if (have && send(client, REPLY, sizeof REPLY - 1, MSG_NOSIGNAL) < 0 && errno != EPIPE)
        die("send");
    close(client);
}

int main(int argc, char **argv)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (argc != 2 || strlen(argv[1]) >= sizeof address.sun_path) {
        fprintf(stderr, "usage: limit SOCKET\n");
        return 64;
    }
    strcpy(address.sun_path, argv[1]);
    unlink(argv[1]);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, BACKLOG))
        die(argv[1]);
    for (;;) {
        int client = accept(listener, NULL, NULL);
        if (client < 0)
            die("accept");
        serve(client);
    }
}
