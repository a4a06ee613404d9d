// SPDX-License-Identifier: GPL-2.0
/*
 * In which order the rooms open and close.
 */
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <net/rtnetlink.h>
#include "audit.h"
#include "device.h"
#include "hooks.h"
#include "inject.h"
#include "link.h"
#include "receive.h"
#include "state.h"

static int __init nfsync_init(void)
{
	int err;

	err = nfsync_state_cache_init();
	if (err)
		return err;

	err = nfsync_device_register();
	if (err)
		goto err_cache;

	err = nfsync_hooks_register();
	if (err)
		goto err_device;

	err = nfsync_receive_register();
	if (err)
		goto err_hooks;

	nfsync_audit_register(nfsync_inject_register());
	/* last, for from here on a device can be made */
	err = nfsync_link_register();
	if (err)
		goto err_inject;

	return 0;

err_inject:
	nfsync_inject_unregister();
	nfsync_receive_unregister();
err_hooks:
	nfsync_hooks_unregister();
err_device:
	nfsync_device_unregister();
err_cache:
	nfsync_state_cache_exit();
	return err;
}

static void __exit nfsync_exit(void)
{
	/* takes the devices of all namespaces along */
	nfsync_link_unregister();
	nfsync_receive_unregister();
	nfsync_hooks_unregister();
	nfsync_device_unregister();
	nfsync_inject_unregister();
	/* states are freed by call_rcu() into this module's cache */
	rcu_barrier();
	nfsync_state_cache_exit();
}

module_init(nfsync_init);
module_exit(nfsync_exit);

MODULE_DESCRIPTION("pfsync: connection state synchronisation between firewalls");
MODULE_LICENSE("GPL");
MODULE_ALIAS_RTNL_LINK("pfsync");
