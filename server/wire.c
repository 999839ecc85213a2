/* SPDX-License-Identifier: BSD-2-Clause */
#include "server/wire.h"

#include <assert.h>
#include <errno.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

static_assert(sizeof(struct wire_transfer) == sizeof(struct mmsghdr), "the kernel's layout");
static_assert(offsetof(struct wire_transfer, moved) == offsetof(struct mmsghdr, msg_len),
	      "the kernel's layout");
static_assert((WIRE_RING_BYTES & (WIRE_RING_BYTES - 1)) == 0, "positions wrap with the ring");
static_assert(WIRE_MESSAGE_BYTES <= WIRE_RING_BYTES, "a message fits in the ring");
static_assert(offsetof(struct wire, tx_data) % 8 == 0, "answers are built in place");

/*
 * Order: the process that may read what this one stored runs only after this one has died, so the
 * compiler's order is all that counts. Stores that commit something are atomic with release order,
 * which is that and costs nothing more.
 */

static uint64_t position(const struct wire *wire)
{
	return atomic_load_explicit(&wire->progress, memory_order_relaxed) >> 16;
}

static uint32_t waiting_bytes(const struct wire *wire)
{
	return wire->rx.base + wire->rx.moved - (uint32_t)position(wire);
}

static void account(struct wire_transfer *transfer, uint32_t base)
{
	const struct wire_transfer word = {.moved = 0, .base = base};

	atomic_store_explicit(&transfer->account,
			      atomic_load_explicit(&word.account, memory_order_relaxed),
			      memory_order_release);
}

/*
 * Copy received descriptors out of the control buffer, which the next receive overwrites. While some
 * wait for the rest of their message none may come, and those that do are kept only to be closed.
 */
static void note_fds(struct wire *wire)
{
	const struct cmsghdr *cmsg = CMSG_FIRSTHDR(&wire->rx.header);
	const uint32_t before = atomic_load_explicit(&wire->rx_num_fds, memory_order_relaxed);
	uint32_t num_fds;

	if (!cmsg || cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
		return;
	num_fds = (uint32_t)((cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int));
	if (num_fds > WIRE_RECEIVE_FDS) /* the control buffer has no room for more */
		num_fds = WIRE_RECEIVE_FDS;
	memcpy(wire->rx_fds + before, CMSG_DATA(cmsg), num_fds * sizeof(int));
	if (before || num_fds > WIRE_MAX_FDS)
		wire->broken = true;
	if (before) {
		atomic_store_explicit(&wire->rx_extra, num_fds, memory_order_release);
		return;
	}
	wire->rx_fds_from = wire->rx.base;
	wire->rx_fds_until = wire->rx.base + wire->rx.moved;
	atomic_store_explicit(&wire->rx_num_fds, num_fds, memory_order_release);
}

/*
 * Take into account what the kernel received, perhaps for a process that has died since. Repeating
 * it before its last store does no harm.
 */
static void fold_received(struct wire *wire)
{
	if (!wire->rx.moved)
		return;
	if (wire->rx.header.msg_flags & (MSG_CTRUNC | MSG_TRUNC))
		wire->broken = true;
	if (wire->rx.header.msg_controllen >= CMSG_LEN(sizeof(int)) &&
	    !atomic_load_explicit(&wire->rx_extra, memory_order_relaxed) &&
	    (!atomic_load_explicit(&wire->rx_num_fds, memory_order_relaxed) ||
	     wire->rx_fds_from != wire->rx.base))
		note_fds(wire);
	account(&wire->rx, wire->rx.base + wire->rx.moved);
}

static uint32_t count_fds(const struct wire *wire)
{
	return atomic_load_explicit(&wire->rx_num_fds, memory_order_relaxed) +
	       atomic_load_explicit(&wire->rx_extra, memory_order_relaxed);
}

/* All but those that were kept. */
static void close_fds(struct wire *wire, const struct wire_owner *owner, uint32_t kept)
{
	const uint32_t num_fds = count_fds(wire);

	for (uint32_t i = 0; i < num_fds; i++)
		if (i >= WIRE_MAX_FDS || !(kept & (1u << i)))
			closing_take(owner->closing, &wire->rx_fds[i], owner->id);
	atomic_store_explicit(&wire->rx_num_fds, 0, memory_order_release);
	atomic_store_explicit(&wire->rx_extra, 0, memory_order_release);
	atomic_signal_fence(memory_order_seq_cst);
}

void wire_init(struct wire *wire)
{
	wire->fd = -1;
	/* Never 0, and at the beginning of the ring. */
	atomic_store_explicit(&wire->progress, (uint64_t)WIRE_RING_BYTES << 16,
			      memory_order_relaxed);
	wire->rx.base = WIRE_RING_BYTES;
}

void wire_open(struct wire *wire, int fd, enum wire_kind kind)
{
	/* The next multiple of the ring's size, so that no id comes twice. */
	const uint64_t begin = (position(wire) | (2 * WIRE_RING_BYTES - 1)) + 1;

	wire->kind = kind;
	wire->broken = false;
	wire->reset = false;
	wire->gave_fds = false;
	wire->shut = false;
	atomic_store_explicit(&wire->tx_progress, 0, memory_order_relaxed);
	atomic_store_explicit(&wire->rx_num_fds, 0, memory_order_relaxed);
	atomic_store_explicit(&wire->rx_extra, 0, memory_order_relaxed);
	wire->rx_fds_until = (uint32_t)begin;
	account(&wire->rx, (uint32_t)begin);
	atomic_store_explicit(&wire->progress, begin << 16, memory_order_release);
	atomic_signal_fence(memory_order_seq_cst);
	wire->fd = fd;
}

void wire_shut_down(struct wire *wire)
{
	/* Once: each time makes an event of this socket, even if nothing changes. */
	if (wire->fd < 0 || wire->shut)
		return;
	shutdown(wire->fd, SHUT_RDWR);
	atomic_signal_fence(memory_order_seq_cst);
	wire->shut = true;
}

void wire_close(struct wire *wire, const struct wire_owner *owner)
{
	if (wire->fd < 0)
		return;
	fold_received(wire);
	close_fds(wire, owner, 0);
	/*
	 * In this order: a process that dies here leaves a descriptor that nobody knows, which is
	 * taken for a newly accepted client; it must find that client gone.
	 */
	wire_shut_down(wire);
	closing_take_socket(owner->closing, &wire->fd, owner->id);
}

int wire_resume(struct wire *wire, const struct wire_owner *owner)
{
	/*
	 * A process may have died between finishing a message and forgetting its descriptors. Those
	 * that were kept must stay open, and the others are found by being known to nobody.
	 */
	if ((int32_t)((uint32_t)position(wire) - wire->rx_fds_until) >= 0)
		atomic_store_explicit(&wire->rx_num_fds, 0, memory_order_relaxed);
	fold_received(wire);
	if (!owner->closing)
		return wire->fd < 0 ? -EPIPE : 0;
	closing_forget(owner->closing, &wire->fd);
	for (uint32_t i = 0, count = count_fds(wire); i < count; i++)
		closing_forget(owner->closing, &wire->rx_fds[i]);
	return wire->fd < 0 ? -EPIPE : 0;
}

static void prepare_receive(struct wire *wire, uint32_t room)
{
	const uint32_t begin = wire->rx.base % WIRE_RING_BYTES;
	const uint32_t to_end = WIRE_RING_BYTES - begin;
	struct msghdr *header = &wire->rx.header;

	wire->rx_iov[0].iov_base = wire->ring + begin;
	wire->rx_iov[0].iov_len = room < to_end ? room : to_end;
	wire->rx_iov[1].iov_base = wire->ring;
	wire->rx_iov[1].iov_len = room - wire->rx_iov[0].iov_len;
	header->msg_name = NULL;
	header->msg_namelen = 0;
	header->msg_iov = wire->rx_iov;
	header->msg_iovlen = wire->rx_iov[1].iov_len ? 2 : 1;
	header->msg_control = wire->rx_control;
	header->msg_controllen = sizeof(wire->rx_control);
	header->msg_flags = 0;
}

/* @return 0, also at the end, or -errno. */
static int receive(struct wire *wire)
{
	if (recvmmsg(wire->fd, (struct mmsghdr *)&wire->rx, 1, MSG_DONTWAIT | MSG_CMSG_CLOEXEC,
		     NULL) >= 0)
		return 0;
	if (errno == EAGAIN || errno == EINTR)
		return -EAGAIN;
	/*
	 * The peer has gone, and had not read all: the kernel says so once, and what the peer had sent
	 * is still there.
	 */
	if (errno != ECONNRESET || wire->reset)
		return -ECONNRESET;
	wire->reset = true;
	return receive(wire);
}

int wire_receive(struct wire *wire, const struct wire_owner *owner)
{
	uint32_t room;
	int error;

	fold_received(wire);
	if (wire->broken)
		return -EPROTO;
	room = WIRE_RING_BYTES - waiting_bytes(wire);
	if (!room || (wire->kind == WIRE_PACKETS && room != WIRE_RING_BYTES))
		return -EAGAIN;
	if (owner->closing && !closing_has_room(owner->closing, owner->id))
		return -ENOBUFS;
	/* While descriptors wait for the rest of their message, the next ones must not come. */
	if (count_fds(wire) && room > wire->rx_missing)
		room = wire->rx_missing;
	prepare_receive(wire, room);
	error = receive(wire);
	if (error)
		return error;
	if (!wire->rx.moved) {
		/* The end; or an empty packet, which is no message and ends it too. */
		if (wire->rx.header.msg_controllen >= CMSG_LEN(sizeof(int)))
			note_fds(wire);
		return -ECONNRESET;
	}
	fold_received(wire);
	return wire->broken ? -EPROTO : 0;
}

/* The bytes at a position in one piece. */
static const unsigned char *linear(struct wire *wire, uint32_t at, uint32_t bytes)
{
	const uint32_t begin = at % WIRE_RING_BYTES;

	if (begin + bytes > WIRE_RING_BYTES)
		memcpy(wire->ring + WIRE_RING_BYTES, wire->ring, begin + bytes - WIRE_RING_BYTES);
	return wire->ring + begin;
}

/*
 * Descriptors arrive with the first byte of what the peer sent in one call, and the kernel ends a
 * receive behind it: they belong to the last message that begins in that receive.
 *
 * @return 0, or -EPROTO if no message begins there.
 */
static int find_fds(const struct wire *wire, uint32_t begin, uint32_t size,
		    struct wire_message *message)
{
	const uint32_t num_fds = atomic_load_explicit(&wire->rx_num_fds, memory_order_relaxed);

	message->fds = wire->rx_fds;
	message->num_fds = 0;
	message->kept = 0;
	if (!num_fds || (int32_t)(begin + size - wire->rx_fds_until) < 0)
		return 0;
	if ((int32_t)(begin - wire->rx_fds_from) < 0)
		return -EPROTO;
	message->num_fds = num_fds;
	return 0;
}

__attribute__((noinline)) static int next(struct wire *wire, wire_size_fn size_of,
					  struct wire_message *message)
{
	const uint64_t progress = atomic_load_explicit(&wire->progress, memory_order_relaxed);
	const uint32_t begin = (uint32_t)(progress >> 16);
	const uint32_t available = waiting_bytes(wire);
	const uint32_t header = available < WIRE_HEADER_BYTES ? available : WIRE_HEADER_BYTES;
	ssize_t size = available;

	if (wire->broken)
		return -EPROTO;
	if (!available || wire_is_answering(wire))
		return 0;
	if (wire->kind == WIRE_STREAM)
		size = size_of(linear(wire, begin, header), header);
	if (size < 0 || size > (ssize_t)WIRE_MESSAGE_BYTES)
		return -EPROTO;
	if (!size || size > (ssize_t)available) {
		wire->rx_missing = (size ? (uint32_t)size : WIRE_HEADER_BYTES) - available;
		return 0;
	}
	message->data = linear(wire, begin, (uint32_t)size);
	message->bytes = (size_t)size;
	message->id = progress;
	message->step = progress & UINT16_MAX;
	return find_fds(wire, begin, (uint32_t)size, message) ? -EPROTO : 1;
}

int wire_next(struct wire *wire, wire_size_fn size_of, struct wire_message *message)
{
	/* Half of all calls find nothing, and need none of what next() does on entry. */
	if (wire_is_empty(wire) && !wire->broken)
		return 0;
	return next(wire, size_of, message);
}

static uint64_t progress_after(const struct wire *wire, const struct wire_message *message,
			       bool more)
{
	return more ? message->id + 1 : (position(wire) + message->bytes) << 16;
}

static void commit(struct wire *wire, const struct wire_owner *owner,
		   const struct wire_message *message, uint64_t progress, bool more)
{
	atomic_signal_fence(memory_order_seq_cst);
	atomic_store_explicit(&wire->progress, progress, memory_order_release);
	atomic_signal_fence(memory_order_seq_cst);
	if (message->num_fds && !more)
		close_fds(wire, owner, message->kept);
}

void wire_done(struct wire *wire, const struct wire_owner *owner,
	       const struct wire_message *message)
{
	commit(wire, owner, message, progress_after(wire, message, false), false);
}

void wire_step(struct wire *wire, struct wire_message *message)
{
	commit(wire, NULL, message, progress_after(wire, message, true), true);
	message->id++;
	message->step++;
}

unsigned char *wire_answer(struct wire *wire)
{
	/* From here on the previous answer, which is out, must not look like one to be sent. */
	atomic_store_explicit(&wire->tx_progress, 0, memory_order_release);
	atomic_signal_fence(memory_order_seq_cst);
	return wire->tx_data;
}

static void attach_fds(struct wire *wire, const int *fds, uint32_t num_fds)
{
	struct cmsghdr *cmsg = (void *)wire->tx_control;

	wire->tx_num_fds = num_fds;
	if (!num_fds)
		return;
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(num_fds * sizeof(int));
	memcpy(CMSG_DATA(cmsg), fds, num_fds * sizeof(int));
}

int wire_answered(struct wire *wire, const struct wire_owner *owner,
		  const struct wire_message *message, size_t bytes, const int *fds,
		  uint32_t num_fds, bool more)
{
	const uint64_t progress = progress_after(wire, message, more);

	assert(bytes > 0 && bytes <= WIRE_MESSAGE_BYTES && num_fds <= WIRE_MAX_FDS);
	account(&wire->tx, 0);
	wire->tx_bytes = (uint32_t)bytes;
	attach_fds(wire, fds, num_fds);
	atomic_store_explicit(&wire->tx_progress, progress, memory_order_release);
	commit(wire, owner, message, progress, more);
	return wire_flush(wire);
}

static void prepare_send(struct wire *wire)
{
	struct msghdr *header = &wire->tx.header;
	const bool give_fds = wire->tx_num_fds && !wire->tx.base;

	wire->tx_iov.iov_base = wire->tx_data + wire->tx.base;
	wire->tx_iov.iov_len = wire->tx_bytes - wire->tx.base;
	header->msg_name = NULL;
	header->msg_namelen = 0;
	header->msg_iov = &wire->tx_iov;
	header->msg_iovlen = 1;
	header->msg_control = give_fds ? wire->tx_control : NULL;
	header->msg_controllen = give_fds ? CMSG_SPACE(wire->tx_num_fds * sizeof(int)) : 0;
	header->msg_flags = 0;
}

bool wire_has_taken_all(struct wire *wire)
{
	int left = 0;

	if (!wire->gave_fds)
		return true;
	if (ioctl(wire->fd, SIOCOUTQ, &left) || left)
		return false;
	wire->gave_fds = false;
	return true;
}

int wire_flush(struct wire *wire)
{
	while (wire_is_answering(wire)) {
		account(&wire->tx, wire->tx.base + wire->tx.moved);
		prepare_send(wire);
		if (wire->tx.header.msg_control) {
			if (!wire_has_taken_all(wire))
				return -EAGAIN;
			wire->gave_fds = true;
		}
		if (sendmmsg(wire->fd, (struct mmsghdr *)&wire->tx, 1,
			     MSG_DONTWAIT | MSG_NOSIGNAL) >= 0 ||
		    errno == EINTR)
			continue;
		if (errno == EAGAIN || errno == ETOOMANYREFS)
			return -errno;
		/* The peer takes no answer any more. What it has sent before still counts. */
		account(&wire->tx, wire->tx_bytes);
	}
	return 0;
}

uint32_t wire_events(const struct wire *wire)
{
	return wire_is_answering(wire) ? EPOLLOUT | EPOLLET : EPOLLIN;
}

bool wire_has_work(const struct wire *wire)
{
	return wire_is_answering(wire) || wire->rx.moved || waiting_bytes(wire);
}

void wire_mark(const struct wire *wire, void (*mark)(void *context, int fd), void *context)
{
	const uint32_t num_fds = count_fds(wire);

	if (wire->fd < 0)
		return;
	mark(context, wire->fd);
	for (uint32_t i = 0; i < num_fds && i < 2 * WIRE_RECEIVE_FDS; i++)
		if (wire->rx_fds[i] >= 0)
			mark(context, wire->rx_fds[i]);
}
