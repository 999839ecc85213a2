/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAKE_SEL4VM_BOOT_H
#define FAKE_SEL4VM_BOOT_H

#define BOOT_VCPU 0

#endif
