/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Channels: messages over a dataport.
 *
 *   queue      two members, both directions; lossless, with backpressure.
 *   broadcast  one writer, any number of readers that cannot write the dataport; a reader that is
 *              too slow loses messages, and is told how many.
 *
 * Freestanding C11: needs no operating system, no allocation, and of the C library memcpy and
 * memset only. Both sides may be of different architectures (little-endian, 64 bit).
 *
 * The other side is never trusted. Whatever it writes to the dataport, at whatever moment, these
 * functions touch nothing outside the dataport, end in bounded time, and return -EPROTO with a
 * reason for what the protocol does not allow. The contents of a message are the sender's words:
 * a hostile sender can also change them while the receiver looks at them in place (peek); copy
 * (receive) what you check before you use it.
 *
 * Threads: a queue has a sending and a receiving half. One thread at a time may use each half,
 * and both halves may be in use at the same time if the port's functions allow that. Everything
 * that does not belong to one half (attach, detach, format) wants the queue for itself.
 *
 * Functions return 0 or one of the negative results below, which have Linux's errno values.
 */
#ifndef CROSSVM_CHANNEL_H
#define CROSSVM_CHANNEL_H

#include <crossvm/abi_channel.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum crossvm_channel_result {
	CROSSVM_EAGAIN = 11,      /* would have to wait, and was told not to */
	CROSSVM_EINVAL = 22,      /* the caller's mistake; see the function */
	CROSSVM_EPIPE = 32,       /* the peer is gone, without having closed (from the port) */
	CROSSVM_ENODATA = 61,     /* the peer sends nothing more, and everything is received */
	CROSSVM_EPROTO = 71,      /* the dataport's contents are wrong: see the complaint */
	CROSSVM_EMSGSIZE = 90,    /* the message is larger than the ring, or than the buffer */
	CROSSVM_ECONNRESET = 104, /* the peer has restarted; said once by each half */
	CROSSVM_ESHUTDOWN = 108,  /* this half is closed, or nobody receives any more */
	CROSSVM_ETIMEDOUT = 110,  /* the deadline has passed (from the port) */
	CROSSVM_ESTALE = 116,     /* somebody else has attached as this member since */
};

/* How long to wait: not at all, for ever, or until a time of the port's clock (any unit). */
#define CROSSVM_NOW     UINT64_C(0)
#define CROSSVM_FOREVER UINT64_MAX

/*
 * How a channel reaches the world outside the dataport. The channel keeps a copy; what it points
 * to must outlive the channel.
 *
 * memory and bytes are the dataport: at least 4096 bytes, aligned to 64, zeroed when new.
 */
struct crossvm_port {
	void *memory;
	uint64_t bytes;

	/* Wake the other side (emit an event). Must not block for long. */
	void (*ring)(void *ctx);

	/*
	 * Sleep until the other side has rung since this half last slept, or may have. Returning
	 * early is harmless. Both halves may sleep at once: one ring wakes both.
	 *
	 * Returns 0, -CROSSVM_ETIMEDOUT once the deadline has passed (also when woken),
	 * -CROSSVM_EPIPE when the peer is gone (also when woken), or any other negative value,
	 * which the function that waits returns.
	 *
	 * On a polling channel this is called every spin_limit polls, and should not sleep.
	 */
	int (*wait)(void *ctx, uint64_t deadline);

	void *ctx;
};

/* What is wrong with the dataport's contents, with both numbers where there are two. */
enum crossvm_complaint_kind {
	CROSSVM_FINE,
	CROSSVM_BAD_MAGIC,        /* the dataport holds something else */
	CROSSVM_BAD_VERSION,      /* another version of the layout */
	CROSSVM_BAD_FLAGS,        /* one side polls, the other sleeps */
	CROSSVM_BAD_REGION_BYTES, /* the sides see dataports of different sizes */
	CROSSVM_BAD_RING_OFFSET,  /* the sides divide the dataport differently */
	CROSSVM_BAD_RING_BYTES,   /* the sides divide the dataport differently */
	CROSSVM_BAD_OWN_POSITION, /* ours in the dataport is impossible */
	CROSSVM_BAD_OWN_COUNT,    /* ours in the dataport does not match our position */
	CROSSVM_BAD_HEAD,         /* the peer's head is impossible */
	CROSSVM_BAD_TAIL,         /* the peer's tail is impossible */
	CROSSVM_BAD_START,        /* the peer says that it restarted at an impossible position */
	CROSSVM_BAD_RECORD_KIND,  /* a record is neither a message nor a pad */
	CROSSVM_BAD_RECORD_SIZE,  /* a record reaches beyond what was committed */
	CROSSVM_BAD_SEQUENCE,     /* a broadcast record's number is out of order */
	CROSSVM_UNSTEADY,         /* the peer keeps taking back what it published */
	CROSSVM_COMPLAINT_KINDS
};

struct crossvm_complaint {
	enum crossvm_complaint_kind kind;
	uint64_t ours;   /* what it should be, or the bound */
	uint64_t theirs; /* what is there */
};

/* A sentence for a complaint's kind, for people; the numbers are the caller's to print. */
const char *crossvm_complaint_text(enum crossvm_complaint_kind kind);

struct crossvm_slice {
	const void *data;
	size_t size;
};

/*
 * A message in place. The data is aligned to 8. Of one direction of a queue the first message has
 * id 0, the next 1, and so on, over all restarts: a message that is delivered again, because the
 * receiver was killed before it had released it, has the same id again.
 */
struct crossvm_message {
	const void *data;
	size_t size;
	uint64_t id;
};

/* --- queue ------------------------------------------------------------------------------- */

#define CROSSVM_QUEUE_POLLING \
	1u /* nobody sleeps; both sides must say so. No fence, no doorbell \
				  */

struct crossvm_queue_config {
	unsigned int member;       /* 0 or 1: the two sides differ in this */
	unsigned int flags;        /* CROSSVM_QUEUE_... */
	uint64_t first_ring_bytes; /* ring from member 0 to 1, a multiple of 64; 0: half */
	uint32_t spin_limit;       /* most polls before a sleep; the queue tunes itself below */
};

#define CROSSVM_SPIN_LIMIT_DEFAULT 2000u

/* Self-tuning spin: private to the channel. */
struct crossvm_spin {
	uint32_t limit;
	uint32_t budget;
	uint32_t typical;
	uint32_t misses;
};

/* The halves of a queue: private to the channel, here so that callers can allocate them. */
struct crossvm_queue_sender {
	uint8_t *ring;
	uint64_t ring_bytes;
	uint64_t room;        /* bytes that can be reserved without looking at the dataport */
	uint64_t next;        /* position after everything reserved */
	uint64_t next_offset; /* next % ring_bytes */
	uint64_t head;        /* position after everything committed */
	uint64_t head_offset;
	uint64_t tail;     /* the peer's, as last seen and checked */
	uint64_t rung;     /* head when the peer's sleep was last looked at */
	uint64_t messages; /* reserved; committed are committed_... */
	uint64_t bytes;
	uint64_t committed_messages;
	uint64_t committed_bytes;
	uint64_t last_offset; /* of the record reserved last */
	uint64_t last_size;
	uint64_t peer_incarnation;
	uint64_t left_before; /* incarnation of a peer that had closed before we attached */
	unsigned int entry;   /* journal entry to write next */
	bool closed;
	struct crossvm_complaint complaint;
	struct crossvm_spin spin;
};

struct crossvm_queue_receiver {
	const uint8_t *ring;
	uint64_t ring_bytes;
	uint64_t available;   /* bytes that can be peeked without looking at the peer's head */
	uint64_t read;        /* position after everything peeked */
	uint64_t read_offset; /* read % ring_bytes */
	uint64_t tail;        /* position after everything released */
	uint64_t rung;        /* tail when the peer's sleep was last looked at */
	uint64_t messages;    /* peeked */
	uint64_t bytes;
	uint64_t peer_incarnation;
	uint64_t ended_before; /* incarnation of a peer that had left before we attached */
	unsigned int entry;
	bool closed;
	struct crossvm_complaint complaint;
	struct crossvm_spin spin;
};

struct crossvm_queue {
	struct crossvm_port port;
	struct crossvm_abi_queue *shared;
	struct crossvm_abi_hello hello;
	unsigned int member;
	bool polling;
	bool fence_by_lock; /* which instruction is a fence on this processor */
	uint64_t incarnation;
	struct crossvm_complaint complaint; /* of the attach */
	struct crossvm_queue_sender sender;
	uint8_t gap[128]; /* the halves may be in use on different processors */
	struct crossvm_queue_receiver receiver;
};

/*
 * Take part in the queue in port->memory, as config->member. It does not matter who comes first.
 * After a crash, at whatever instant, the same call continues where the dead incarnation stopped:
 * what it had committed is sent, what it had not committed was never sent, what it had not
 * released comes again.
 *
 * Only one process at a time may be attached as a member; the caller sees to that.
 *
 * Returns 0, -CROSSVM_EINVAL (config or port make no sense: no memory, misaligned, less than a
 * page, a ring that does not fit), or -CROSSVM_EPROTO: the complaint tells what differs between
 * this config and what this member wrote when it attached earlier, or what the peer wrote.
 */
int crossvm_queue_attach(struct crossvm_queue *queue, const struct crossvm_port *port,
			 const struct crossvm_queue_config *config);

/* Close both halves and forget the dataport. What was reserved and not committed is dropped. */
void crossvm_queue_detach(struct crossvm_queue *queue);

/*
 * Make the dataport's memory a new, empty queue. Only while nobody is attached: for the case that
 * a complaint says that something else is in it.
 */
int crossvm_queue_format(const struct crossvm_port *port);

/* The first complaint since attach, of either half; CROSSVM_FINE if there is none. */
struct crossvm_complaint crossvm_queue_complaint(const struct crossvm_queue *queue);

/* The largest message this queue can send: the ring's size less one record header. */
size_t crossvm_queue_max_message(const struct crossvm_queue *queue);

/* The id that the next message committed gets: everything below has been sent. */
uint64_t crossvm_queue_next_id(const struct crossvm_queue *queue);

/*
 * Sending without a copy. Reserve gives room for a message of size bytes, in one piece, aligned
 * to 8; the caller fills it. Commit publishes everything reserved since the last commit at once:
 * a crash before it loses all of it, a crash after it loses nothing. Trim shortens the message
 * reserved last. Cancel forgets what was reserved since the last commit.
 *
 * With something reserved, reserve does not wait for room, but returns -CROSSVM_EAGAIN: commit,
 * and try again.
 *
 * Returns 0, -CROSSVM_EAGAIN (deadline is CROSSVM_NOW), -CROSSVM_EMSGSIZE, -CROSSVM_ESHUTDOWN,
 * -CROSSVM_ECONNRESET (the peer restarted: nothing is wrong, call again), -CROSSVM_EPROTO,
 * -CROSSVM_ESTALE, or what the port's wait returned. A peer that is gone is not an error while
 * there is room: what is committed waits for it to come back.
 */
int crossvm_queue_reserve(struct crossvm_queue *queue, size_t size, void **data, uint64_t deadline);
int crossvm_queue_trim(struct crossvm_queue *queue, size_t size);
void crossvm_queue_cancel(struct crossvm_queue *queue);
void crossvm_queue_commit(struct crossvm_queue *queue);

/* Send one message, from one piece or gathered from several. Returns as reserve does. */
int crossvm_queue_send(struct crossvm_queue *queue, const void *data, size_t size,
		       uint64_t deadline);
int crossvm_queue_sendv(struct crossvm_queue *queue, const struct crossvm_slice *slices,
			size_t count, uint64_t deadline);

/*
 * Send several messages, committing as few times as possible; waits only when the ring is full.
 *
 * @sent  set to the number of messages committed, also on failure.
 * @return 0 when all were sent, else as reserve does.
 */
int crossvm_queue_send_batch(struct crossvm_queue *queue, const struct crossvm_slice *messages,
			     size_t count, uint64_t deadline, size_t *sent);

/*
 * Receiving without a copy. Peek gives the next message in place, and the one after it when it is
 * called again; peek_batch gives up to count, and waits for the first only. Release returns the
 * memory of everything peeked to the sender: a message is delivered when it is released. A
 * receiver that crashes before gets it again, with the same id.
 *
 * Returns 0, -CROSSVM_EAGAIN (deadline is CROSSVM_NOW), -CROSSVM_ENODATA, -CROSSVM_ESHUTDOWN,
 * -CROSSVM_ECONNRESET (what comes next was committed by a new incarnation of the peer; call
 * again), -CROSSVM_EPROTO, -CROSSVM_ESTALE, or what the port's wait returned, each only when no
 * message is left that was committed before.
 */
int crossvm_queue_peek(struct crossvm_queue *queue, struct crossvm_message *message,
		       uint64_t deadline);
int crossvm_queue_peek_batch(struct crossvm_queue *queue, struct crossvm_message *messages,
			     size_t count, uint64_t deadline, size_t *peeked);
void crossvm_queue_release(struct crossvm_queue *queue);

/*
 * Receive one message into a buffer: peek, copy, release.
 *
 * @size  set to the message's size, also for -CROSSVM_EMSGSIZE (buffer too small), which leaves
 *        the message where it is.
 * @return as peek does. Not to be mixed with messages that were peeked and are not released:
 *         -CROSSVM_EINVAL.
 */
int crossvm_queue_receive(struct crossvm_queue *queue, void *buffer, size_t capacity, size_t *size,
			  uint64_t deadline);

/*
 * For an event loop: spin as a call that blocks would, then promise to sleep. True: nothing can be
 * done now, and the peer rings when a message comes, or when a message of size bytes has room; wait
 * for the port's event, then try. False: do not sleep, try now. A loop with many channels may want
 * a spin_limit of 0, since each of them spins in its turn.
 */
bool crossvm_queue_arm_receive(struct crossvm_queue *queue);
bool crossvm_queue_arm_send(struct crossvm_queue *queue, size_t size);

/*
 * Half-close: the peer receives what was committed and then -CROSSVM_ENODATA. So does a peer that
 * attaches later, if there is something left for it or we still receive; else it waits for us to
 * come back, which is no restart to it.
 */
void crossvm_queue_close_send(struct crossvm_queue *queue);
/*
 * Half-close: the peer's next send gets -CROSSVM_ESHUTDOWN. A peer that attaches later is not told:
 * its messages wait for us to come back.
 */
void crossvm_queue_close_receive(struct crossvm_queue *queue);

/*
 * Has the peer attached, and not closed both of its halves? That is what it wrote: it stays true for
 * a peer that was killed.
 */
bool crossvm_queue_peer_attached(const struct crossvm_queue *queue);

/* What happened so far, readable by either side and by a third one that can read the dataport. */
struct crossvm_half_info {
	uint64_t messages; /* committed by a sender, released by a receiver */
	uint64_t bytes;    /* of payload */
	uint64_t doorbells;
	uint64_t sleeps;
	uint64_t stalls;
	bool closed;
};

struct crossvm_member_info {
	uint64_t incarnation; /* 0: was never there */
	struct crossvm_half_info sender;
	struct crossvm_half_info receiver;
};

struct crossvm_queue_info {
	uint64_t version;
	uint64_t flags;
	uint64_t ring_bytes[2]; /* by sending member */
	uint64_t waiting[2];    /* bytes committed and not released, headers included */
	struct crossvm_member_info member[2];
};

/*
 * Look at a queue without taking part in it. The numbers are those of one instant for each half
 * only when nobody is using it; they are never checked against each other.
 *
 * Returns 0, -CROSSVM_EINVAL (too small), or -CROSSVM_ENODATA (no queue in there).
 */
int crossvm_queue_inspect(const void *memory, uint64_t bytes, struct crossvm_queue_info *info);

/* --- broadcast --------------------------------------------------------------------------- */

/*
 * A reader cannot write the dataport, so it cannot say that it sleeps: the writer rings after
 * every 'ring_every' messages (1 if 0), once for a whole batch, and when it flushes. A writer that
 * sets ring_every above 1 flushes when it has nothing more to say for now.
 */
struct crossvm_broadcast_config {
	uint32_t ring_every;
};

struct crossvm_broadcast_writer {
	struct crossvm_port port;
	struct crossvm_abi_broadcast *shared;
	uint8_t *ring;
	uint64_t ring_bytes;
	uint64_t head;
	uint64_t head_offset;
	uint64_t oldest;
	uint64_t oldest_offset;
	uint64_t messages;
	uint64_t bytes;
	uint32_t ring_every;
	uint32_t unrung; /* messages since the last ring */
	unsigned int entry;
	struct crossvm_complaint complaint;
};

/*
 * Become the writer; after a crash, continue. The port's wait is not used.
 * Returns 0, -CROSSVM_EINVAL, or -CROSSVM_EPROTO with a complaint.
 */
int crossvm_broadcast_writer_attach(struct crossvm_broadcast_writer *writer,
				    const struct crossvm_port *port,
				    const struct crossvm_broadcast_config *config);
/* Tell the readers that nothing more comes, and forget the dataport. */
void crossvm_broadcast_writer_detach(struct crossvm_broadcast_writer *writer);
/* As crossvm_queue_format. */
int crossvm_broadcast_format(const struct crossvm_port *port);

/* The largest message: half of the ring, so that a reader has a chance to be in time. */
size_t crossvm_broadcast_max_message(const struct crossvm_broadcast_writer *writer);

/*
 * Publish one message. Never waits, for no reader.
 * Returns 0, -CROSSVM_EMSGSIZE, or -CROSSVM_EPROTO (somebody else wrote into the dataport).
 */
int crossvm_broadcast_send(struct crossvm_broadcast_writer *writer, const void *data, size_t size);
int crossvm_broadcast_sendv(struct crossvm_broadcast_writer *writer,
			    const struct crossvm_slice *slices, size_t count);
/* Publish several, ring at most once. @sent as crossvm_queue_send_batch. */
int crossvm_broadcast_send_batch(struct crossvm_broadcast_writer *writer,
				 const struct crossvm_slice *messages, size_t count, size_t *sent);
/* Ring if a message was published since the last ring. */
void crossvm_broadcast_flush(struct crossvm_broadcast_writer *writer);

struct crossvm_reader_config {
	bool from_oldest;    /* begin with the oldest message still there, not with the next one */
	uint32_t spin_limit; /* most polls before a sleep */
};

struct crossvm_broadcast_reader {
	struct crossvm_port port;
	const struct crossvm_abi_broadcast *shared;
	const uint8_t *ring;
	uint64_t ring_bytes;
	uint64_t position;
	uint64_t offset;
	uint64_t sequence;    /* expected next */
	uint64_t peeked_span; /* of the message in the caller's hands, 0: none */
	uint64_t peeked_sequence;
	uint64_t incarnation;
	uint64_t ended_before; /* incarnation of a writer that had closed before we attached */
	bool started;          /* sequence is known */
	bool from_oldest;
	struct crossvm_complaint complaint;
	struct crossvm_spin spin;
};

/*
 * Become a reader; the writer need not be there yet. Never writes the dataport (the port's memory
 * may be a read-only mapping; its ring is not used).
 * Returns 0, -CROSSVM_EINVAL, or -CROSSVM_EPROTO with a complaint.
 */
int crossvm_broadcast_reader_attach(struct crossvm_broadcast_reader *reader,
				    const struct crossvm_port *port,
				    const struct crossvm_reader_config *config);

/*
 * Receive the next message that is still there.
 *
 * @size  set to the message's size, also for -CROSSVM_EMSGSIZE, which leaves it.
 * @lost  set to the number of messages missed since the last call that gave one.
 * @return 0, -CROSSVM_EAGAIN (deadline is CROSSVM_NOW, or the writer is so much faster that
 *         nothing could be copied in one piece), -CROSSVM_ENODATA (the writer has closed),
 *         -CROSSVM_ECONNRESET (the writer restarted; call again), -CROSSVM_EMSGSIZE,
 *         -CROSSVM_EPROTO, or what the port's wait returned.
 */
int crossvm_broadcast_receive(struct crossvm_broadcast_reader *reader, void *buffer,
			      size_t capacity, size_t *size, uint64_t *lost, uint64_t deadline);

/*
 * The same without a copy. What peek gives may be overwritten at any time; accept tells, after
 * the caller has used it, whether it was intact until now. message->id is its sequence number.
 * accept returns 0, or -CROSSVM_EAGAIN: what was read is worth nothing, go on with the next peek
 * (which counts it as lost).
 */
int crossvm_broadcast_peek(struct crossvm_broadcast_reader *reader, struct crossvm_message *message,
			   uint64_t *lost, uint64_t deadline);
int crossvm_broadcast_accept(struct crossvm_broadcast_reader *reader);

/* True: nothing to read now, wait for the port's event. False: try now. */
bool crossvm_broadcast_idle(const struct crossvm_broadcast_reader *reader);

struct crossvm_broadcast_info {
	uint64_t version;
	uint64_t ring_bytes;
	uint64_t incarnation;
	uint64_t messages;
	uint64_t bytes;
	uint64_t doorbells;
	bool closed;
};

/* As crossvm_queue_inspect. */
int crossvm_broadcast_inspect(const void *memory, uint64_t bytes,
			      struct crossvm_broadcast_info *info);

#ifdef __cplusplus
}
#endif

#endif
