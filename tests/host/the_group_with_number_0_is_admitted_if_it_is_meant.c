/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A process in group 0 that is not root may attach if the VM's options say so, and not if they are
 * merely zero. Needs root, to be such a process.
 */
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/host/guest.h"

#define OTHER_USER  61003u
#define OTHER_GROUP 61004u

/* Whether a process of another user, in this group, may attach to the VM. */
static bool admits(struct guest *guest, const char *vm, gid_t group)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ssize_t bytes;
	char byte;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s.link.events", guest->directory,
		 vm);
	assert_true(client >= 0);
	/* The kernel notes who connects at that moment. */
	assert_int_equal(setegid(group), 0);
	assert_int_equal(seteuid(OTHER_USER), 0);
	assert_int_equal(connect(client, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(setegid(0), 0);
	guest_serve(guest);
	/* A process that may not attach has been disconnected by now. */
	bytes = recv(client, &byte, 1, MSG_DONTWAIT);
	assert_true(bytes == 0 || (bytes < 0 && errno == EAGAIN));
	close(client);
	guest_serve(guest);
	return bytes < 0;
}

static vm_t *make_vm(struct guest *guest, const struct crossvm_vm_options *options)
{
	const struct crossvm_connection_options connection = {
		.handle = {.consume_id = 1, .connection_name = "link"}};
	vm_t *vm;

	assert_int_equal(crossvm_vm_create(guest->host, options, &vm), 0);
	assert_int_equal(crossvm_connections_init(vm, 0, &connection, 1, crossvm_vm_pci(vm),
						  crossvm_host_alloc_irq),
			 0);
	return vm;
}

static void group_0_is_admitted_if_it_is_meant(void **state)
{
	struct guest *guest = guest_start();
	vm_t *zeroed = make_vm(guest, &(struct crossvm_vm_options){.name = "zeroed",
								   .socket_dir = guest->directory,
								   .socket_mode = 0666});
	vm_t *meant = make_vm(guest, &(struct crossvm_vm_options){.name = "meant",
								  .socket_dir = guest->directory,
								  .allowed_group = 0,
								  .allow_group_0 = true,
								  .socket_mode = 0666});
	vm_t *nobody = make_vm(guest, &(struct crossvm_vm_options){.name = "nobody",
								   .socket_dir = guest->directory,
								   .allowed_group = (gid_t)-1,
								   .allow_group_0 = true,
								   .socket_mode = 0666});

	(void)state;
	assert_int_equal(chmod(guest->directory, 0711), 0);
	assert_false(admits(guest, "zeroed", 0));
	assert_true(admits(guest, "meant", 0));
	assert_false(admits(guest, "meant", OTHER_GROUP));
	assert_false(admits(guest, "nobody", 0));
	for (int i = 0; i < 3; i++) {
		vm_t *vm = (vm_t *[]){zeroed, meant, nobody}[i];

		crossvm_connections_destroy(vm);
		crossvm_vm_destroy(vm);
	}
	guest_end(guest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(group_0_is_admitted_if_it_is_meant),
	};

	if (geteuid() != 0 || setgroups(0, NULL) != 0) {
		print_message("not root: who may attach is NOT TESTED here\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
