/* SPDX-License-Identifier: BSD-2-Clause */
/* A VM: who may attach, and where. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <crossvm/name.h>

#include "vmm/linux/internal.h"

static int check(const struct crossvm_host *host, const struct crossvm_vm_options *options)
{
	const char *name = options->name ? options->name : "";
	const char *wrong = crossvm_name_wrong(name);
	struct stat status;

	if (wrong) {
		server_log(
			&host->server->log, CROSSVM_LOG_ERROR,
			"a VM cannot be named \"%s\": the name %s; give 1 to %u of A-Z a-z 0-9 _ . "
			"-, not beginning with . or -",
			name, wrong, CROSSVM_NAME_MAX);
		return -EINVAL;
	}
	for (const struct crossvm_vm *vm = host->vms; vm; vm = vm->next)
		if (!strcmp(vm->name, options->name)) {
			server_log(&host->server->log, CROSSVM_LOG_ERROR,
				   "there is a VM \"%s\" already", options->name);
			return -EEXIST;
		}
	if (!options->socket_dir || stat(options->socket_dir, &status) ||
	    !S_ISDIR(status.st_mode)) {
		server_log(&host->server->log, CROSSVM_LOG_ERROR,
			   "VM \"%s\": no directory \"%s\" for its sockets: create it first",
			   options->name, options->socket_dir ? options->socket_dir : "");
		return -ENOENT;
	}
	return 0;
}

int crossvm_vm_create(struct crossvm_host *host, const struct crossvm_vm_options *options,
		      vm_t **vm)
{
	const int error = check(host, options);
	struct crossvm_vm *created;

	*vm = NULL;
	if (error)
		return error;
	created = calloc(1, sizeof(*created));
	if (!created)
		return -ENOMEM;
	created->socket_dir = strdup(options->socket_dir);
	created->state = arena_allocate(host->server->arena, sizeof(*created->state));
	if (!created->socket_dir || !created->state) {
		server_log(&host->server->log, CROSSVM_LOG_ERROR, "VM \"%s\": no memory left",
			   options->name);
		arena_release(host->server->arena, created->state, sizeof(*created->state));
		free(created->socket_dir);
		free(created);
		return -ENOMEM;
	}
	memcpy(created->name, options->name, strlen(options->name));
	created->allowed_user = options->allowed_user ? options->allowed_user : (uid_t)-1;
	created->allowed_group = options->allowed_group || options->allow_group_0
					 ? options->allowed_group
					 : (gid_t)-1;
	created->socket_mode = options->socket_mode;
	created->pci.vm = created;
	created->host = host;
	created->number = host->num_vms++;
	created->next = host->vms;
	host->vms = created;
	*vm = created;
	return 0;
}

void crossvm_vm_destroy(vm_t *vm)
{
	struct crossvm_vm **link;

	if (!vm)
		return;
	assert(!vm->connections);
	for (link = &vm->host->vms; *link != vm; link = &(*link)->next)
		;
	*link = vm->next;
	arena_release(vm->host->server->arena, vm->state, sizeof(*vm->state));
	free(vm->socket_dir);
	free(vm);
}

vmm_pci_space_t *crossvm_vm_pci(vm_t *vm)
{
	return &vm->pci;
}
