/* SPDX-License-Identifier: BSD-2-Clause */
/* The way of an event through the host, counted in system calls, as they cost most. */
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/host/guest.h"
#include "tests/server/victim.h"

static void dispatch_once(void *context)
{
	struct guest *guest = context;

	crossvm_host_dispatch(guest->host, 0);
}

static void nobody_serves(struct test_server *client)
{
	(void)client;
}

/* How often one call of dispatch enters or leaves the kernel. */
static unsigned long calls(struct guest *guest)
{
	return victim_run(dispatch_once, guest, (struct victim_point){VICTIM_NO_LIMIT, 0}).stops;
}

static void one_event_and_many_at_once(void **state)
{
	struct guest *guest = guest_start();
	struct test_server receiver = guest_attach(guest, "events.events");
	struct test_server sender = guest_attach(guest, "writer.events");
	int heard = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	unsigned long idle;

	(void)state;
	assert_int_equal(client_set_irqs(&receiver, VFIO_PCI_MSI_IRQ_INDEX,
					 VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER, 1,
					 heard),
			 0);
	guest_write32(&sender, 0, CROSSVM_REG_EMIT, 1);
	assert_int_equal(eventfd_count(heard), 1);
	sender.serve = nobody_serves;
	idle = calls(guest);
	for (unsigned int count = 1; count < 20; count++) {
		for (unsigned int i = 0; i < count; i++)
			guest_write32(&sender, 0, CROSSVM_REG_EMIT, 1);
		/* Each call stops twice: one receive for all, one write to the eventfd for each. */
		assert_int_equal(calls(guest) - idle, 2 * (1 + count));
		assert_int_equal(eventfd_count(heard), count);
	}
	assert_int_equal(guest->counts->emitted[GUEST_WRITER], 1 + 19 * 20 / 2);
	close(heard);
	close(sender.client);
	guest_detach(&receiver);
	guest_end(guest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_event_and_many_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
