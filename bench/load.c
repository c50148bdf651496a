/* The load: clients that ask as Exim does, over one connection a query, and read the reply to its end.
 *
 * load SOCKET QUERIES clients=N seconds=S rate=R delay_us=D half_close=0|1
 *
 * QUERIES is a file of queries, one a line; each client takes them in turn, from its own starting place.
 * rate is queries a second of all clients together, 0 for flat out. delay_us is the time between connect and
 * write, spent on the processor, as Exim does. `TX` in a query becomes a number that no other query has.
 * Prints one line of key=value: queries, seconds, rate, latencies in microseconds (from connect to end of file),
 * how often each verdict came, how many replies were empty, and how many connections failed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { MAX_CLIENTS = 4096, LINE_BYTES = 64 * 1024, BUCKETS = 1 << 16, NUMBER_DIGITS = 12 };

enum { ACCEPT, REJECT, DEFER, HOLD, ERROR, OTHER, WORDS };
static const char *const WORD[WORDS] = {"accept", "reject", "defer", "hold", "error", "other"};

struct client {
    pthread_t thread;
    unsigned number;
    long queries, empty, failed, words[WORDS];
    uint32_t bucket[BUCKETS]; /* one a microsecond; the last one holds all that took longer */
};

static struct sockaddr_un address = {.sun_family = AF_UNIX};
static char **query;
static size_t queries;
static unsigned clients = 4, half_close;
static double seconds = 2, rate;
static long delay_us;
static int64_t start_ns, end_ns;

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void sleep_until(int64_t when)
{
    struct timespec t = {.tv_sec = when / 1000000000LL, .tv_nsec = when % 1000000000LL};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static int word_of(const char *reply)
{
    if (strncmp(reply, "verdict=", 8) == 0)
        for (int word = 0; word < OTHER; word++)
            if (strncmp(reply + 8, WORD[word], strlen(WORD[word])) == 0)
                return word;
    return OTHER;
}

/* Writes the query with its TX replaced; returns its length. */
static size_t compose(const struct client *self, const char *text, char *line)
{
    const char *mark = strstr(text, "tx=TX");
    size_t length = strlen(text);
    if (!mark) {
        memcpy(line, text, length);
        line[length] = '\n';
        return length + 1;
    }
    size_t before = (size_t)(mark + 3 - text);
    memcpy(line, text, before);
    int digits = sprintf(line + before, "%u-%0*ld", self->number, NUMBER_DIGITS, self->queries);
    memcpy(line + before + digits, mark + 5, length - before - 2);
    line[length + (size_t)digits - 2] = '\n';
    return length + (size_t)digits - 1;
}

static int ask(struct client *self, const char *line, size_t length, char *reply)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (connect(fd, (struct sockaddr *)&address, sizeof address))
        goto failed;
    if (delay_us)
        for (int64_t until = now_ns() + delay_us * 1000; now_ns() < until;)
            ;
    if (send(fd, line, length, MSG_NOSIGNAL) != (ssize_t)length)
        goto failed;
    if (half_close)
        shutdown(fd, SHUT_WR);
    size_t have = 0;
    for (;;) {
        ssize_t got = read(fd, reply + have, LINE_BYTES - 1 - have);
        if (got < 0)
            goto failed;
        if (got == 0)
            break;
        have += (size_t)got;
    }
    close(fd);
    reply[have] = 0;
    if (have)
        self->words[word_of(reply)]++;
    else
        self->empty++;
    return 0;
failed:
    close(fd);
    return -1;
}

static void *run(void *argument)
{
    struct client *self = argument;
    static __thread char line[LINE_BYTES], reply[LINE_BYTES];
    double interval_ns = rate > 0 ? 1e9 * clients / rate : 0;
    size_t next = self->number * (queries / clients + 1) % queries;
    prctl(PR_SET_TIMERSLACK, 1);
    sleep_until(start_ns + (int64_t)(interval_ns * self->number / clients));
    for (int64_t begun; (begun = now_ns()) < end_ns;) {
        size_t length = compose(self, query[next], line);
        next = (next + 1) % queries;
        if (ask(self, line, length, reply))
            self->failed++;
        int64_t took_us = (now_ns() - begun) / 1000;
        self->bucket[took_us < BUCKETS ? took_us : BUCKETS - 1]++;
        self->queries++;
        if (interval_ns > 0)
            sleep_until(start_ns + (int64_t)(interval_ns * ((double)self->queries + (double)self->number / clients)));
    }
    return NULL;
}

static void read_queries(const char *path)
{
    struct stat status;
    FILE *file = fopen(path, "r");
    if (!file || fstat(fileno(file), &status)) {
        perror(path);
        exit(1);
    }
    char *text = calloc(1, (size_t)status.st_size + 1);
    query = calloc((size_t)status.st_size + 1, sizeof *query);
    if (!text || !query || fread(text, 1, (size_t)status.st_size, file) != (size_t)status.st_size)
        exit(1);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        if (strlen(line) < LINE_BYTES - 64)
            query[queries++] = line;
    fclose(file);
    if (!queries) {
        fprintf(stderr, "%s: no queries\n", path);
        exit(1);
    }
}

static void read_options(int argc, char **argv)
{
    for (int i = 3; i < argc; i++)
        if (sscanf(argv[i], "clients=%u", &clients) != 1 && sscanf(argv[i], "seconds=%lf", &seconds) != 1 &&
            sscanf(argv[i], "rate=%lf", &rate) != 1 && sscanf(argv[i], "delay_us=%ld", &delay_us) != 1 &&
            sscanf(argv[i], "half_close=%u", &half_close) != 1) {
            fprintf(stderr, "load: unknown option %s\n", argv[i]);
            exit(64);
        }
    if (!clients || clients > MAX_CLIENTS) {
        fprintf(stderr, "load: clients must be 1 to %d\n", MAX_CLIENTS);
        exit(64);
    }
}

static void report(struct client *all)
{
    struct client *sum = &all[0];
    for (unsigned i = 1; i < clients; i++) {
        sum->queries += all[i].queries;
        sum->empty += all[i].empty;
        sum->failed += all[i].failed;
        for (int w = 0; w < WORDS; w++)
            sum->words[w] += all[i].words[w];
        for (int b = 0; b < BUCKETS; b++)
            sum->bucket[b] += all[i].bucket[b];
    }
    double took = (double)(now_ns() - start_ns) / 1e9;
    printf("queries=%ld seconds=%.3f rate=%.1f", sum->queries, took, (double)sum->queries / took);
    static const struct { const char *name; double part; } PART[] = {
        {"p50", .5}, {"p90", .9}, {"p99", .99}, {"p999", .999}, {"max", 1}};
    for (size_t p = 0; p < sizeof PART / sizeof *PART; p++) {
        long seen = 0, wanted = (long)((double)sum->queries * PART[p].part);
        int b = 0;
        while (b < BUCKETS - 1 && (seen += sum->bucket[b]) < wanted)
            b++;
        printf(" %s=%d", PART[p].name, b);
    }
    for (int w = 0; w < WORDS; w++)
        printf(" %s=%ld", WORD[w], sum->words[w]);
    printf(" empty=%ld failed=%ld\n", sum->empty, sum->failed);
}

int main(int argc, char **argv)
{
    if (argc < 3 || strlen(argv[1]) >= sizeof address.sun_path) {
        fprintf(stderr, "usage: load SOCKET QUERIES clients=N seconds=S rate=R delay_us=D half_close=0|1\n");
        return 64;
    }
    strcpy(address.sun_path, argv[1]);
    read_queries(argv[2]);
    read_options(argc, argv);
    struct client *all = calloc(clients, sizeof *all);
    if (!all)
        return 1;
    start_ns = now_ns() + 1000000;
    end_ns = start_ns + (int64_t)(seconds * 1e9);
    for (unsigned i = 0; i < clients; i++) {
        all[i].number = i;
        if (pthread_create(&all[i].thread, NULL, run, &all[i]))
            return 1;
    }
    for (unsigned i = 0; i < clients; i++)
        pthread_join(all[i].thread, NULL);
    report(all);
    return 0;
}
