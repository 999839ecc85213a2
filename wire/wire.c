/* SPDX-License-Identifier: BSD-2-Clause */
#include "wire/wire.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

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

/* Copy received descriptors out of the control buffer, which the next receive overwrites. */
static void note_fds(struct wire *wire)
{
	const struct cmsghdr *cmsg = CMSG_FIRSTHDR(&wire->rx.header);
	uint32_t num_fds;

	if (!cmsg || cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
		return;
	num_fds = (uint32_t)((cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int));
	if (num_fds > WIRE_MAX_FDS) /* the control buffer has no room for more */
		num_fds = WIRE_MAX_FDS;
	memcpy(wire->rx_fds, CMSG_DATA(cmsg), num_fds * sizeof(int));
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
	if (wire->rx.header.msg_controllen >= CMSG_LEN(sizeof(int)))
		note_fds(wire);
	account(&wire->rx, wire->rx.base + wire->rx.moved);
}

static void close_fds(struct wire *wire, uint32_t kept)
{
	const uint32_t num_fds = atomic_load_explicit(&wire->rx_num_fds, memory_order_relaxed);

	atomic_store_explicit(&wire->rx_num_fds, 0, memory_order_release);
	for (uint32_t i = 0; i < num_fds; i++)
		if (!(kept & (1u << i)))
			close(wire->rx_fds[i]);
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
	atomic_store_explicit(&wire->tx_progress, 0, memory_order_relaxed);
	atomic_store_explicit(&wire->rx_num_fds, 0, memory_order_relaxed);
	wire->rx_fds_until = (uint32_t)begin;
	account(&wire->rx, (uint32_t)begin);
	atomic_store_explicit(&wire->progress, begin << 16, memory_order_release);
	atomic_signal_fence(memory_order_seq_cst);
	wire->fd = fd;
}

void wire_close(struct wire *wire)
{
	const int fd = wire->fd;

	if (fd < 0)
		return;
	fold_received(wire);
	close_fds(wire, 0);
	/*
	 * In this order: a process that dies before close() leaves a descriptor that nobody knows,
	 * which is taken for a newly accepted client; it must find that client gone.
	 */
	shutdown(fd, SHUT_RDWR);
	/* Closing with something unread would be a reset to the peer, which QEMU does not survive. */
	while (recv(fd, wire->ring, sizeof(wire->ring), MSG_DONTWAIT) > 0)
		;
	wire->fd = -1;
	atomic_signal_fence(memory_order_seq_cst);
	close(fd);
}

int wire_resume(struct wire *wire)
{
	/*
	 * A process may have died between finishing a message and forgetting its descriptors. Those
	 * that were kept must stay open, and the others are found by being known to nobody.
	 */
	if ((int32_t)((uint32_t)position(wire) - wire->rx_fds_until) >= 0)
		atomic_store_explicit(&wire->rx_num_fds, 0, memory_order_relaxed);
	fold_received(wire);
	return wire_flush(wire);
}

static void prepare_receive(struct wire *wire, uint32_t room)
{
	const uint32_t begin = wire->rx.base % WIRE_RING_BYTES;
	const uint32_t to_end = WIRE_RING_BYTES - begin;
	const bool take_fds = !atomic_load_explicit(&wire->rx_num_fds, memory_order_relaxed);
	struct msghdr *header = &wire->rx.header;

	wire->rx_iov[0].iov_base = wire->ring + begin;
	wire->rx_iov[0].iov_len = room < to_end ? room : to_end;
	wire->rx_iov[1].iov_base = wire->ring;
	wire->rx_iov[1].iov_len = room - wire->rx_iov[0].iov_len;
	header->msg_name = NULL;
	header->msg_namelen = 0;
	header->msg_iov = wire->rx_iov;
	header->msg_iovlen = wire->rx_iov[1].iov_len ? 2 : 1;
	/* Without room for them, the kernel drops descriptors and says so (MSG_CTRUNC). */
	header->msg_control = take_fds ? wire->rx_control : NULL;
	header->msg_controllen = take_fds ? sizeof(wire->rx_control) : 0;
	header->msg_flags = 0;
}

int wire_receive(struct wire *wire)
{
	uint32_t room;

	fold_received(wire);
	if (wire->broken)
		return -EPROTO;
	room = WIRE_RING_BYTES - waiting_bytes(wire);
	if (!room || (wire->kind == WIRE_PACKETS && room != WIRE_RING_BYTES))
		return -EAGAIN;
	/* While descriptors wait for the rest of their message, the next ones must not come. */
	if (atomic_load_explicit(&wire->rx_num_fds, memory_order_relaxed) &&
	    room > wire->rx_missing)
		room = wire->rx_missing;
	prepare_receive(wire, room);
	if (recvmmsg(wire->fd, (struct mmsghdr *)&wire->rx, 1, MSG_DONTWAIT | MSG_CMSG_CLOEXEC,
		     NULL) < 0)
		return errno == EAGAIN || errno == EINTR ? -EAGAIN : -ECONNRESET;
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

/* Whether an answer is committed and not all of it sent. */
static bool answer_outstanding(const struct wire *wire)
{
	return atomic_load_explicit(&wire->tx_progress, memory_order_relaxed) ==
		       atomic_load_explicit(&wire->progress, memory_order_relaxed) &&
	       wire->tx.base + wire->tx.moved < wire->tx_bytes;
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

int wire_next(struct wire *wire, wire_size_fn size_of, struct wire_message *message)
{
	const uint64_t progress = atomic_load_explicit(&wire->progress, memory_order_relaxed);
	const uint32_t begin = (uint32_t)(progress >> 16);
	const uint32_t available = waiting_bytes(wire);
	const uint32_t header = available < WIRE_HEADER_BYTES ? available : WIRE_HEADER_BYTES;
	ssize_t size = available;

	if (wire->broken)
		return -EPROTO;
	if (!available || answer_outstanding(wire))
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

static uint64_t progress_after(const struct wire *wire, const struct wire_message *message,
			       bool more)
{
	return more ? message->id + 1 : (position(wire) + message->bytes) << 16;
}

static void commit(struct wire *wire, const struct wire_message *message, uint64_t progress,
		   bool more)
{
	atomic_signal_fence(memory_order_seq_cst);
	atomic_store_explicit(&wire->progress, progress, memory_order_release);
	atomic_signal_fence(memory_order_seq_cst);
	if (message->num_fds && !more)
		close_fds(wire, message->kept);
}

void wire_done(struct wire *wire, const struct wire_message *message)
{
	commit(wire, message, progress_after(wire, message, false), false);
}

void wire_step(struct wire *wire, struct wire_message *message)
{
	commit(wire, message, progress_after(wire, message, true), true);
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

int wire_answered(struct wire *wire, const struct wire_message *message, size_t bytes,
		  const int *fds, uint32_t num_fds, bool more)
{
	const uint64_t progress = progress_after(wire, message, more);

	assert(bytes > 0 && bytes <= WIRE_MESSAGE_BYTES && num_fds <= WIRE_MAX_FDS);
	account(&wire->tx, 0);
	wire->tx_bytes = (uint32_t)bytes;
	attach_fds(wire, fds, num_fds);
	atomic_store_explicit(&wire->tx_progress, progress, memory_order_release);
	commit(wire, message, progress, more);
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

int wire_flush(struct wire *wire)
{
	while (answer_outstanding(wire)) {
		account(&wire->tx, wire->tx.base + wire->tx.moved);
		prepare_send(wire);
		if (sendmmsg(wire->fd, (struct mmsghdr *)&wire->tx, 1,
			     MSG_DONTWAIT | MSG_NOSIGNAL) >= 0 ||
		    errno == EINTR)
			continue;
		return errno == EAGAIN ? -EAGAIN : -EPIPE;
	}
	return 0;
}

uint32_t wire_events(const struct wire *wire)
{
	return answer_outstanding(wire) ? EPOLLOUT : EPOLLIN;
}

bool wire_knows(const struct wire *wire, int fd)
{
	const uint32_t num_fds = atomic_load_explicit(&wire->rx_num_fds, memory_order_relaxed);

	if (wire->fd < 0)
		return false;
	if (wire->fd == fd)
		return true;
	for (uint32_t i = 0; i < num_fds; i++)
		if (wire->rx_fds[i] == fd)
			return true;
	return false;
}
