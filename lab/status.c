/* SPDX-License-Identifier: BSD-2-Clause */
#include <jansson.h>
#include <unistd.h>

#include "lab/keeper.h"

static json_t *describe_vm(const struct lab_vm *vm)
{
	const char *state = lab_vm_state_name(vm);
	char console[PATH_MAX];
	json_t *object;

	lab_keeper_file(vm->keeper, vm->config->name, ".console.log", console);
	object = json_pack("{s:s, s:s, s:s, s:s}", "name", vm->config->name, "state", state, "arch",
			   lab_arch_name(vm->config->arch), "console_log", console);
	if (vm->state == LAB_VM_OFF)
		return object;
	(void)json_object_set_new(object, "accel",
				  json_string(vm->accel == LAB_KVM ? "kvm" : "tcg"));
	(void)json_object_set_new(object, "qemu_pid", json_integer(vm->process.pid));
	if (vm->state == LAB_VM_READY)
		(void)json_object_set_new(object, "boot_seconds",
					  json_real((double)vm->ready_ms / 1000));
	return object;
}

char *lab_status(const struct lab_keeper *keeper)
{
	json_t *vms = json_array();
	json_t *status;
	char sockets[PATH_MAX];
	char *text;

	for (size_t i = 0; i < keeper->system->num_vms; i++)
		(void)json_array_append_new(vms, describe_vm(&keeper->vms[i]));
	lab_keeper_file(keeper, LAB_SOCKETS, "", sockets);
	status = json_pack("{s:s, s:s, s:s, s:i, s:i, s:s, s:o}", "lab", keeper->rundir.name,
			   "system", keeper->system->path, "folder", keeper->rundir.path,
			   "keeper_pid", (int)getpid(), "crossvmd_pid", (int)keeper->daemon.pid,
			   "socket_dir", sockets, "vms", vms);
	text = status ? json_dumps(status, JSON_INDENT(2)) : NULL;
	json_decref(status);
	return text;
}
