/* See quick.h. Looks at the sockets that are open and at nothing else; a connection to
 * another host is left alone, since Open MPI has its own settings for those. */
#include "quick.h"
#include <dirent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Both ends on this host, by loopback or by an address of its own. */
static bool is_local_stream(int fd)
{
    struct sockaddr_storage own = {0}, peer = {0};
    socklen_t own_len = sizeof(own), peer_len = sizeof(peer);
    int type = 0;
    socklen_t type_len = sizeof(type);
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) != 0 ||
        type != SOCK_STREAM || getsockname(fd, (struct sockaddr *)&own, &own_len) != 0 ||
        getpeername(fd, (struct sockaddr *)&peer, &peer_len) != 0 ||
        own.ss_family != peer.ss_family)
        return false;
    if (own.ss_family == AF_INET6)
        return memcmp(&((struct sockaddr_in6 *)&own)->sin6_addr,
                      &((struct sockaddr_in6 *)&peer)->sin6_addr,
                      sizeof(struct in6_addr)) == 0;
    return own.ss_family == AF_INET && ((struct sockaddr_in *)&own)->sin_addr.s_addr ==
                                           ((struct sockaddr_in *)&peer)->sin_addr.s_addr;
}

void quick_local(void)
{
    DIR *dir = opendir("/proc/self/fd");
    struct dirent *e;
    while (dir != NULL && (e = readdir(dir)) != NULL) {
        int fd = (int)strtol(e->d_name, NULL, 10); /* "." and ".." give 0, no harm */
        int on = 1;
        if (is_local_stream(fd))
            (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
    if (dir != NULL)
        (void)closedir(dir);
}
