// Somebody else who connects to a connector's socket before the host does: `stranger UID SOCKET`. Says something, and
// prints how many bytes came back before it was sent away.
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

int main(int count, char **words) {
    if (count != 3) return 2;
    uid_t user = atoi(words[1]);
    // The group first: the user may not change it.
    if (setresgid(user, user, user) || setresuid(user, user, user)) return 3;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", words[2]);
    int connection = socket(AF_UNIX, SOCK_STREAM, 0);
    // What is bound is not yet listening.
    for (int tries = 0; connect(connection, (struct sockaddr *)&address, sizeof address); tries++) {
        if (errno != ECONNREFUSED || tries == 10000) return 4;
        usleep(1000);
    }
    // Half a frame, so that one who reads it waits for the rest.
    send(connection, "\0\0\0\x10", 4, MSG_NOSIGNAL);
    // One who is not sent away does not wait forever.
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_sec = 10}, sizeof(struct timeval));
    char byte;
    int received = 0;
    ssize_t last;
    while ((last = read(connection, &byte, 1)) == 1) received++;
    printf("%d bytes\n", received);
    return last == 0 || errno == ECONNRESET ? 0 : 5;
}
