/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A component shares the flags of its eventfd with the daemon: it can fill it and make it blocking, and
 * the daemon's write would wait. It may lose its connection for that, or not get in any more; but
 * whoever does it again and again must not cost the daemon a descriptor each time.
 */
#include "hostile.h"

#include "descriptors.h"

#define BAD    61001u
#define ROUNDS 40u
#define EMITS  3u

static const char system_file[] =
	"vms: [{name: v}, {name: w}]\n"
	"components: [{name: a}, {name: b}, {name: bad, user: 61001}]\n"
	"connections:\n"
	"- {name: link, members: [{vm: v}, {vm: w}]}\n"
	"- {name: mixed, members: [{vm: v}, {component: a}, {component: b}]}\n"
	"- {name: bell, members: [{component: a}, {component: b}, {component: bad}]}\n";

static struct component emitter, other; /* well-behaved, of another user */
static struct vm w;
static uint64_t emitted;

static void start(struct daemon *daemon, const char *connection)
{
	daemon_start(daemon, system_file, NULL);
	emitter = component_open(daemon, connection, "a", 0);
	other = component_open(daemon, connection, "b", 0);
	w = vm_attach(daemon, "w", "link");
	emitted = 0;
}

static void others_are_served(void)
{
	for (unsigned int i = 0; i < EMITS; i++)
		component_emit(&emitter);
	emitted += EMITS;
	component_wait_total(&other, emitted);
	hostile_expect_answers(&w);
}

static void end(struct daemon *daemon)
{
	component_close(&emitter);
	component_close(&other);
	vm_detach(&w);
	hostile_stop(daemon);
}

/* Opens, if it is let, and spoils what it is given; it keeps all of it. */
static void open_and_fill(const struct daemon *daemon)
{
	struct crossvm_component_request request = {.header = {CROSSVM_COMPONENT_MAGIC,
							       CROSSVM_COMPONENT_VERSION,
							       CROSSVM_COMPONENT_OPEN},
						    .connection = "bell"};
	struct crossvm_component_entry answer;
	size_t num_fds;
	int fds[8];
	int fd = component_connect(daemon);

	hostile_send(fd, &request, sizeof(request), NULL, 0);
	if (component_receive(fd, &answer, sizeof(answer), fds, &num_fds) > 0 && num_fds == 2)
		descriptor_fill(fds[1]);
}

static void of_a_component(void **state)
{
	struct daemon *daemon = *state;
	size_t before;

	start(daemon, "bell");
	before = hostile_count_fds(daemon);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		hostile_as_user(BAD, open_and_fill, daemon);
		others_are_served();
		hostile_end_users();
	}
	hostile_wait_fds(daemon, before);
	end(daemon);
}

/* The same by QEMU: an interrupt's eventfd. */
static void of_an_interrupt(void **state)
{
	const struct vfio_irq_set irqs = {.argsz = sizeof(irqs),
					  .flags = VFIO_IRQ_SET_DATA_EVENTFD |
						   VFIO_IRQ_SET_ACTION_TRIGGER,
					  .index = VFIO_PCI_MSI_IRQ_INDEX,
					  .count = 1};
	struct daemon *daemon = *state;
	size_t before;

	start(daemon, "mixed");
	before = hostile_count_fds(daemon);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		int qemu = hostile_qemu(daemon, "v.mixed.events");
		int interrupt = hostile_make(daemon, HOSTILE_EVENTFD);

		hostile_command(qemu, VFIO_USER_DEVICE_SET_IRQS, VFIO_USER_FLAGS_NO_REPLY, &irqs,
				sizeof(irqs), &interrupt, 1);
		hostile_expect_answers(&w);
		descriptor_fill(interrupt);
		others_are_served();
		close(qemu);
		close(interrupt);
		hostile_wait_fds(daemon, before);
	}
	end(daemon);
}

static const struct CMUnitTest tests[] = {
	HOSTILE_TEST(of_a_component),
	HOSTILE_TEST(of_an_interrupt),
};

TESTS_MAIN(tests)
