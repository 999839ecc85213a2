/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lab: boots the VMs of a system file, with crossvmd and a small guest, for the demo, for tests,
 * and for people who develop guest software. lab/README.md explains it. May include systemfile/ and
 * nothing above it; knows the daemon and the command as programs only.
 */
#ifndef CROSSVM_LAB_LAB_H
#define CROSSVM_LAB_LAB_H

/*
 * "crossvm lab ...", with argv[0] "lab".
 *
 * @return the exit status: 0; 1 failed; 2 wrong usage or system file; with exec that of the command
 *   in the VM, 128 + signal if one ended it, 255 if it could not be run.
 */
int crossvm_lab_main(int argc, char **argv);

#endif
