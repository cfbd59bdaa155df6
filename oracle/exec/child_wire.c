#include "oracle/exec/child_wire.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

const char *const child_array_names[CHILD_SLOTS][CHILD_ARRAYS] = {
    {"the values", "the scales", "the weights"}, {"x", "starts", "ids"}, {"out", "the status word", "the outputs"}};

union control {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int))];
};

bool child_request_send(int socket, const struct child_request *r, int fd)
{
    union control control = {0};
    struct iovec data = {(void *)r, sizeof *r};
    struct msghdr m = {.msg_iov = &data, .msg_iovlen = 1};
    if (fd >= 0) {
        m.msg_control = control.room;
        m.msg_controllen = sizeof control.room;
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(c), &fd, sizeof fd);
    }
    ssize_t sent;
    while ((sent = sendmsg(socket, &m, MSG_NOSIGNAL)) < 0 && errno == EINTR)
        ;
    return sent == (ssize_t)sizeof *r;
}

bool child_request_receive(int socket, struct child_request *r, int *fd)
{
    union control control = {0};
    struct iovec data = {r, sizeof *r};
    struct msghdr m = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room};
    ssize_t got;
    while ((got = recvmsg(socket, &m, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR)
        ;
    *fd = -1;
    struct cmsghdr *c = got > 0 ? CMSG_FIRSTHDR(&m) : NULL;
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof *fd))
        memcpy(fd, CMSG_DATA(c), sizeof *fd);
    return got == (ssize_t)sizeof *r;
}

bool child_reply_send(int socket, const struct child_reply *r)
{
    ssize_t sent;
    while ((sent = send(socket, r, sizeof *r, MSG_NOSIGNAL)) < 0 && errno == EINTR)
        ;
    return sent == (ssize_t)sizeof *r;
}

bool child_reply_receive(int socket, struct child_reply *r)
{
    ssize_t got;
    while ((got = recv(socket, r, sizeof *r, 0)) < 0 && errno == EINTR)
        ;
    if (got != (ssize_t)sizeof *r || (unsigned)r->kind > CHILD_FAULT || (unsigned)r->status > STATUS_SUBJECT ||
        (unsigned)r->slot > CHILD_SLOTS || (unsigned)r->description.fidelity > FIDELITY_UNSUPPORTED ||
        (unsigned)r->ran > FIDELITY_UNSUPPORTED)
        return false;
    r->why[sizeof r->why - 1] = r->path[sizeof r->path - 1] = r->field[sizeof r->field - 1] = '\0';
    r->note[sizeof r->note - 1] = '\0';
    r->description.name[sizeof r->description.name - 1] = r->report.kernel[sizeof r->report.kernel - 1] = '\0';
    return true;
}
