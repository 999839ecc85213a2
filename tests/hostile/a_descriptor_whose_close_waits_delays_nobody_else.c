/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who sends a descriptor decides how long it takes to close it, to ask about it, to poll it, and to
 * let go of it unreceived: a FUSE server that never answers, a TCP socket that lingers. None of it may
 * be the worker's time, whatever the descriptor comes with.
 */
#include "hostile.h"

#include <sys/socket.h>

#include "descriptors.h"

#define STRANGER 61003u
/* Together they linger for a week; a tenth of a second each, one socket's, is more than tests wait. */
#define TCP_AT_ONCE    300u
#define FUSE_FILES     5u
#define FULL_MESSAGE   253u /* descriptors */
#define MANY_QUESTIONS 150
#define BUFFER_BYTES   212992 /* as anybody may have it; the kernel doubles it */
#define EMIT_HEADER                                                                        \
	{                                                                                  \
		CROSSVM_COMPONENT_MAGIC, CROSSVM_COMPONENT_VERSION, CROSSVM_COMPONENT_EMIT \
	}

/* As the second argument says. */
static size_t tcp_sockets = TCP_AT_ONCE;

static const struct crossvm_component_emit emit = {.header = EMIT_HEADER};

/* Sends descriptors to the daemon, over one connection. */
typedef void send_fn(const struct daemon *daemon, const int *fds, size_t num_fds);

static void send_one(const struct daemon *daemon, enum hostile_kind kind, send_fn *send)
{
	int fd = hostile_make(daemon, kind);

	send(daemon, &fd, 1);
	hostile_drop(kind, fd);
}

/*
 * Each kind of descriptor alone, then a lot of TCP sockets. FUSE comes last: once the daemon cannot get
 * rid of some of those, it need not take more from where they came.
 */
static void send_all(const struct daemon *daemon, send_fn *send)
{
	int fds[TCP_AT_ONCE];

	for (enum hostile_kind kind = 0; kind < HOSTILE_KINDS; kind++)
		if (kind != HOSTILE_FUSE)
			send_one(daemon, kind, send);
	for (size_t i = 0; i < tcp_sockets; i += TCP_AT_ONCE) {
		for (size_t j = 0; j < TCP_AT_ONCE; j++)
			fds[j] = hostile_make(daemon, HOSTILE_TCP);
		send(daemon, fds, TCP_AT_ONCE);
		for (size_t j = 0; j < TCP_AT_ONCE; j++)
			hostile_drop(HOSTILE_TCP, fds[j]);
	}
	for (size_t i = 0; i < FUSE_FILES; i++)
		send_one(daemon, HOSTILE_FUSE, send);
}

/* As much as possible is to be on its way at once. Fails for -1, as all that follows does. */
static void enlarge(int fd)
{
	const int bytes = BUFFER_BYTES;

	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
}

/* Without an OPEN before, an EMIT ends the connection; what is behind it may never be read. */
static void as_emits(const struct daemon *daemon, const int *fds, size_t num_fds)
{
	int fd = hostile_connect(daemon, CROSSVM_COMPONENT_SOCKET_NAME, SOCK_SEQPACKET);

	enlarge(fd);
	for (size_t i = 0; i < num_fds; i++)
		hostile_send(fd, &emit, sizeof(emit), &fds[i], 1);
	close(fd);
}

/* More than any message has, in one. */
static void as_one_emit(const struct daemon *daemon, const int *fds, size_t num_fds)
{
	int fd = hostile_connect(daemon, CROSSVM_COMPONENT_SOCKET_NAME, SOCK_SEQPACKET);

	enlarge(fd);
	hostile_send(fd, &emit, sizeof(emit), fds, num_fds < FULL_MESSAGE ? num_fds : FULL_MESSAGE);
	close(fd);
}

static void after_an_open(const struct daemon *daemon, const int *fds, size_t num_fds)
{
	const struct crossvm_component_request request = {.header = {CROSSVM_COMPONENT_MAGIC,
								     CROSSVM_COMPONENT_VERSION,
								     CROSSVM_COMPONENT_OPEN},
							  .connection = "bell",
							  .component = "a"};
	int fd = hostile_connect(daemon, CROSSVM_COMPONENT_SOCKET_NAME, SOCK_SEQPACKET);

	enlarge(fd);
	hostile_send(fd, &request, sizeof(request), fds, 1);
	for (size_t i = 1; i < num_fds; i++)
		hostile_send(fd, &emit, sizeof(emit), &fds[i], 1);
	close(fd);
}

static void as_dma_maps(const struct daemon *daemon, const int *fds, size_t num_fds)
{
	const struct vfio_user_dma_map map = {.argsz = sizeof(map), .bytes = 4096};
	int fd = hostile_qemu(daemon, "v.link.memory");

	enlarge(fd);
	for (size_t i = 0; i < num_fds; i++)
		hostile_command(fd, VFIO_USER_DMA_MAP, VFIO_USER_FLAGS_NO_REPLY, &map, sizeof(map),
				&fds[i], 1);
	close(fd);
}

/* Each is put in the place of the one before, and the last goes when the client does. */
static void as_interrupts(const struct daemon *daemon, const int *fds, size_t num_fds)
{
	static const struct {
		uint32_t index, action;
	} uses[] = {{VFIO_PCI_MSI_IRQ_INDEX, VFIO_IRQ_SET_ACTION_TRIGGER},
		    {VFIO_PCI_INTX_IRQ_INDEX, VFIO_IRQ_SET_ACTION_TRIGGER},
		    {VFIO_PCI_INTX_IRQ_INDEX, VFIO_IRQ_SET_ACTION_UNMASK}};
	int fd = hostile_qemu(daemon, "v.link.events");

	enlarge(fd);
	for (size_t i = 0; i < 3 * num_fds; i++) {
		const struct vfio_irq_set set = {.argsz = sizeof(set),
						 .flags = VFIO_IRQ_SET_DATA_EVENTFD |
							  uses[i % 3].action,
						 .index = uses[i % 3].index,
						 .count = 1};

		hostile_command(fd, VFIO_USER_DEVICE_SET_IRQS, VFIO_USER_FLAGS_NO_REPLY, &set,
				sizeof(set), &fds[i / 3], 1);
	}
	close(fd);
}

/* Answers are not read, so at some point commands are not either; then the client leaves. */
static void behind_unread_answers(const struct daemon *daemon, const int *fds, size_t num_fds)
{
	const struct vfio_region_info region = {.argsz = 4096, .index = VFIO_PCI_BAR0_REGION_INDEX};
	const struct vfio_user_dma_map map = {.argsz = sizeof(map), .bytes = 4096};
	int fd = hostile_qemu(daemon, "v.link.memory");

	enlarge(fd);
	for (int i = 0; i < MANY_QUESTIONS; i++)
		if (hostile_command(fd, VFIO_USER_DEVICE_GET_REGION_INFO, 0, &region,
				    sizeof(region), NULL, 0) != 0)
			break;
	for (size_t i = 0; i < num_fds; i++)
		hostile_command(fd, VFIO_USER_DMA_MAP, 0, &map, sizeof(map), &fds[i], 1);
	close(fd);
}

/* VM w and two components, whom nothing of this concerns. */
struct others {
	struct component a, b;
	struct vm w;
	uint64_t emitted;
};

static struct others others_start(struct daemon *daemon)
{
	daemon_start(daemon, HOSTILE_SYSTEM, NULL);
	return (struct others){.a = component_open(daemon, "mixed", "a", 0),
			       .b = component_open(daemon, "mixed", "b", 0),
			       .w = vm_attach(daemon, "w", "link")};
}

static void others_are_served(struct others *others)
{
	hostile_expect_answers(&others->w);
	component_emit(&others->a);
	component_wait_total(&others->b, ++others->emitted);
}

/* Nothing has been answered to FUSE by now, and nothing has stopped lingering by itself. */
static void others_end(struct others *others, struct daemon *daemon)
{
	others_are_served(others);
	hostile_stop(daemon);
	component_close(&others->a);
	component_close(&others->b);
	vm_detach(&others->w);
}

static void stranger_attacks(const struct daemon *daemon)
{
	send_all(daemon, as_emits);
	send_all(daemon, as_one_emit);
}

/* It is turned away when it is accepted, with all that it has sent until then. */
static void of_a_user_who_is_no_component(void **state)
{
	struct others others = others_start(*state);

	hostile_make(*state, HOSTILE_FUSE); /* by who may */
	hostile_pause(*state, true);
	hostile_as_user(STRANGER, stranger_attacks, *state);
	hostile_pause(*state, false);
	others_end(&others, *state);
}

static void of_a_component(struct daemon *daemon, send_fn *send)
{
	struct others others = others_start(daemon);

	hostile_pause(daemon, true);
	send_all(daemon, send);
	hostile_pause(daemon, false);
	others_end(&others, daemon);
}

static void of_a_component_that_opens_nothing(void **state)
{
	of_a_component(*state, as_emits);
}

static void of_a_component_with_all_in_one_message(void **state)
{
	of_a_component(*state, as_one_emit);
}

static void of_a_component_that_opens(void **state)
{
	of_a_component(*state, after_an_open);
}

/* When the owner of it all has let go, the VM gets in again. */
static void of_qemu(struct daemon *daemon, send_fn *send)
{
	struct others others = others_start(daemon);
	struct vm v;

	send_all(daemon, send);
	others_are_served(&others);
	fuse_answer(hostile_fuse());
	descriptors_forget();
	v = vm_attach(daemon, "v", "link");
	hostile_expect_answers(&v);
	others_are_served(&others);
	vm_detach(&v);
	others_end(&others, daemon);
}

static void of_dma_maps(void **state)
{
	of_qemu(*state, as_dma_maps);
}

static void of_interrupts(void **state)
{
	of_qemu(*state, as_interrupts);
}

static void behind_answers_that_nobody_reads(void **state)
{
	of_qemu(*state, behind_unread_answers);
}

static const struct CMUnitTest tests[] = {
	HOSTILE_TEST(of_a_user_who_is_no_component),
	HOSTILE_TEST(of_a_component_that_opens_nothing),
	HOSTILE_TEST(of_a_component_that_opens),
	HOSTILE_TEST(of_a_component_with_all_in_one_message),
	HOSTILE_TEST(of_dma_maps),
	HOSTILE_TEST(of_interrupts),
	HOSTILE_TEST(behind_answers_that_nobody_reads),
};

int main(int argc, char **argv)
{
	if (argc == 3)
		tcp_sockets = strtoul(argv[2], NULL, 10);
	return tests_main(argc == 3 ? 2 : argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
