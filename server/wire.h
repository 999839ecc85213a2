/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages over a Unix socket whose receipt outlives the process that received them.
 *
 * A worker process that serves a socket may be killed at any instant. Another one, cloned from the
 * same parent with CLONE_FILES and without CLONE_VM, carries on: it has the same descriptors, and
 * struct wire stands in memory that both share, mapped at the same address. Nothing is lost, no
 * answer is sent twice, and a message that was not finished is given out again, with the same id.
 *
 * How: the kernel itself writes into struct wire how much it received or sent, and which
 * descriptors, within the system call (recvmmsg, sendmmsg), so there is no instant at which bytes
 * have left the socket and are not accounted for. A message is finished by one store, of progress.
 *
 *	received = wire_receive(wire);		// once each time the socket is readable
 *	while (wire_next(wire, size_of, &message) > 0) {
 *		... apply it, so that applying it again does no harm ...
 *		wire_done(wire, owner, &message); // or wire_answer(), ..., wire_answered()
 *	}
 *
 * A peer has one answer outstanding at most: while it does not read, nothing of it is processed. An
 * answer that brings descriptors waits until the peer has read all that was sent before, since the
 * descriptors on their way are limited for all that one user sends. What a peer sends can cost it its
 * connection, nothing else.
 *
 * Nothing is closed here that a peer has a part in: see closing.h.
 *
 * Thread-safety: none; one thread at a time per struct wire.
 */
#ifndef CROSSVM_SERVER_WIRE_H
#define CROSSVM_SERVER_WIRE_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "server/closing.h"

enum wire_kind {
	WIRE_STREAM,  /* SOCK_STREAM: messages say their size in their first bytes */
	WIRE_PACKETS, /* SOCK_SEQPACKET: a packet is a message */
};

#define WIRE_RING_BYTES    8192u /* a power of two; what is received and not yet processed */
#define WIRE_MESSAGE_BYTES 5120u /* largest message and largest answer */
#define WIRE_HEADER_BYTES  16u   /* what a wire_size_fn gets to see of a message, at most */
#define WIRE_MAX_FDS       8u    /* descriptors in one message or answer */
#define WIRE_RECEIVE_FDS   253u  /* what the kernel can deliver at once (SCM_MAX_FD) */

/*
 * The kernel's struct mmsghdr with a name for the padding behind msg_len, so that what the kernel
 * moved and what it had moved before are one word and change in one store.
 */
struct wire_transfer {
	struct msghdr header;
	union {
		struct {
			uint32_t moved; /* bytes, by the last call; the kernel writes it */
			uint32_t base;  /* position before the last call */
		};
		_Atomic uint64_t account;
	};
};

/*
 * Room for all descriptors that can come: what there is no room for, the kernel drops while it
 * receives, which can wait for its sender as a close can.
 */
#define WIRE_RX_CONTROL_BYTES CMSG_SPACE(WIRE_RECEIVE_FDS * sizeof(int))
#define WIRE_TX_CONTROL_BYTES CMSG_SPACE(WIRE_MAX_FDS * sizeof(int))

/* Who the peer is to closing.h. In private memory. */
struct wire_owner {
	struct closing *closing; /* NULL: this process closes, at once */
	uint64_t id;
};

/*
 * A connected socket. Plain data for shared memory; zeroed memory becomes one by wire_init(). All
 * fields are wire's own but fd, which others may read; -1: closed.
 */
struct wire {
	int fd;
	uint32_t kind;
	bool broken;   /* the peer has broken the rules: receive no more */
	bool reset;    /* the peer has gone without having read all; what it sent is still there */
	bool gave_fds; /* the peer may not have taken descriptors that were sent */
	bool shut;     /* disconnected */

	/* Position of the first byte not yet processed, << 16, plus the step within the message. */
	_Atomic uint64_t progress;

	struct wire_transfer rx; /* base, modulo 2^32, is where the next receive begins */
	struct iovec rx_iov[2];
	alignas(struct cmsghdr) unsigned char rx_control[WIRE_RX_CONTROL_BYTES];
	_Atomic uint32_t rx_num_fds; /* received and not yet processed */
	_Atomic uint32_t rx_extra;   /* and behind them, what came out of place */
	int rx_fds[2 * WIRE_RECEIVE_FDS];
	uint32_t rx_fds_from; /* the receive that brought them: from where to where */
	uint32_t rx_fds_until;
	uint32_t rx_missing; /* of the message that has begun, as far as is known */

	_Atomic uint64_t tx_progress; /* the progress to which the answer in tx_data belongs */
	struct wire_transfer tx;      /* base: what of the answer has been sent */
	struct iovec tx_iov;
	alignas(struct cmsghdr) unsigned char tx_control[WIRE_TX_CONTROL_BYTES];
	uint32_t tx_bytes;
	uint32_t tx_num_fds;

	unsigned char ring[WIRE_RING_BYTES + WIRE_MESSAGE_BYTES]; /* the tail unwraps a message */
	unsigned char tx_data[WIRE_MESSAGE_BYTES];
};

struct wire_message {
	const unsigned char *data; /* not aligned */
	size_t bytes;
	/*
	 * Never 0, never the same for another message or step of this struct wire, but the same when
	 * the message is given out again after a process died. So what must not be done twice, such
	 * as counting, is done with a journal in shared memory:
	 *
	 *	if (journal->id != message.id) {
	 *		journal->value = counter + 1;
	 *		atomic_signal_fence(memory_order_seq_cst);
	 *		journal->id = message.id;
	 *	}
	 *	atomic_signal_fence(memory_order_seq_cst);
	 *	counter = journal->value;
	 */
	uint64_t id;
	uint32_t step; /* how many wire_step() or answers with more to come the message has had */
	/*
	 * Descriptors that came with it; closed when the message is finished, but for those whose
	 * bit the caller has set in kept after storing them in shared memory.
	 */
	const int *fds;
	uint32_t num_fds;
	uint32_t kept;
};

/*
 * Size of the message that begins with these bytes; there are `available` of them.
 *
 * @return its size, 0 if that takes more bytes to say, -EPROTO if no message begins so.
 */
typedef ssize_t (*wire_size_fn)(const unsigned char *bytes, size_t available);

/* Zeroed memory becomes a closed struct wire. */
void wire_init(struct wire *wire);

/* Serve a connected socket; wire takes it over. Positions, and so ids, go on from the last one. */
void wire_open(struct wire *wire, int fd, enum wire_kind kind);

/*
 * Disconnect the peer: it can read what was sent, and no more. Does nothing if it is disconnected.
 */
void wire_shut_down(struct wire *wire);
/*
 * The same; have the socket and the descriptors that were received and not kept closed. Does nothing
 * if it is closed. While wire_has_taken_all() says no, the descriptors that were sent count against
 * all that this process's user sends: then do not close it yet.
 */
void wire_close(struct wire *wire, const struct wire_owner *owner);

/*
 * Go on after another process: call it before anything else of an open struct wire. What was
 * received but not processed comes from wire_next() next. Of the last message that was finished,
 * descriptors that were not kept may still be open: have those closed that nobody knows.
 *
 * @return 0, or -EPIPE if the socket is closed.
 */
int wire_resume(struct wire *wire, const struct wire_owner *owner);

/*
 * Receive once, without waiting. Only after wire_next() has returned 0.
 *
 * @return 0, -EAGAIN (nothing there, or no room before what is there is processed), -ENOBUFS (what
 *   the peer sent before is still being closed: try again when some of it is), -ECONNRESET (the peer
 *   has gone), -EPROTO (more than WIRE_MAX_FDS descriptors, descriptors in mid-message, a packet
 *   larger than WIRE_MESSAGE_BYTES). After the last two: wire_close().
 */
int wire_receive(struct wire *wire, const struct wire_owner *owner);

/*
 * The next message.
 *
 * @size: of a WIRE_STREAM message; NULL for WIRE_PACKETS.
 * @return 1, 0 (there is no whole message, or an answer is still to be sent), or -EPROTO (what came
 *   is not a message; wire_close()).
 */
int wire_next(struct wire *wire, wire_size_fn size, struct wire_message *message);

/* The message is finished and has no answer. */
void wire_done(struct wire *wire, const struct wire_owner *owner,
	       const struct wire_message *message);

/* A part of the message is done for good; message gets the next id and step. */
void wire_step(struct wire *wire, struct wire_message *message);

/*
 * Where to build an answer: WIRE_MESSAGE_BYTES, aligned to 8, not cleared. Nothing happens before
 * wire_answered().
 */
unsigned char *wire_answer(struct wire *wire);

/*
 * The answer is built: finish the message and send.
 *
 * @fds: num_fds descriptors to go with it, which must stay open until it is out.
 * @more: the message is not finished, it comes again as its next step once this answer is out.
 * @return as wire_flush().
 */
int wire_answered(struct wire *wire, const struct wire_owner *owner,
		  const struct wire_message *message, size_t bytes, const int *fds,
		  uint32_t num_fds, bool more);

/*
 * Send what is still to be sent. A peer that takes no answers any more has none sent: what it has
 * sent itself is still to be received, and its end with it.
 *
 * @return 0 (nothing is left), -EAGAIN (call again at the next of wire_events()), -ETOOMANYREFS (this
 *   process's user has more descriptors on their way than it may, somewhere; wire_close(), and tell
 *   people).
 */
int wire_flush(struct wire *wire);

/* Whether the peer has everything that was sent, as far as descriptors went with it. */
bool wire_has_taken_all(struct wire *wire);

/*
 * What to wait for on the socket: while an answer is to be sent, each time the peer reads (EPOLLOUT
 * and EPOLLET: the socket may have room all the time), else EPOLLIN.
 */
uint32_t wire_events(const struct wire *wire);

/* Whether an answer is still to be sent: nothing is processed before. */
static inline bool wire_is_answering(const struct wire *wire)
{
	return atomic_load_explicit(&wire->tx_progress, memory_order_relaxed) ==
		       atomic_load_explicit(&wire->progress, memory_order_relaxed) &&
	       wire->tx.base + wire->tx.moved < wire->tx_bytes;
}

/* Whether all that was received has been processed. */
static inline bool wire_is_empty(const struct wire *wire)
{
	const uint64_t progress = atomic_load_explicit(&wire->progress, memory_order_relaxed);

	return wire->rx.base + wire->rx.moved == (uint32_t)(progress >> 16);
}

/* Whether there is something to be done before the socket tells of more. */
bool wire_has_work(const struct wire *wire);

/* Call `mark` for the socket, and each descriptor that was received and not yet processed. */
void wire_mark(const struct wire *wire, void (*mark)(void *context, int fd), void *context);

#endif
