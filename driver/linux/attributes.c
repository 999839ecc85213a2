// SPDX-License-Identifier: GPL-2.0-only
/*
 * What tools and the library want to know of a connection without opening it, besides UIO's own
 * attributes: files crossvm_* of the events function, /sys/class/uio/uioN/device/.
 */
#include <linux/sysfs.h>

#include "uio_crossvm.h"

static ssize_t crossvm_access_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct crossvm_connection *conn = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%s\n", crossvm_access_name(conn));
}
static DEVICE_ATTR_RO(crossvm_access);

static ssize_t crossvm_connection_id_show(struct device *dev, struct device_attribute *attr,
					  char *buf)
{
	struct crossvm_connection *conn = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%u\n", conn->connection_id);
}
static DEVICE_ATTR_RO(crossvm_connection_id);

static ssize_t crossvm_doorbell_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct crossvm_connection *conn = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%s\n", READ_ONCE(conn->doorbell) ? "yes" : "no");
}
static DEVICE_ATTR_RO(crossvm_doorbell);

static ssize_t crossvm_irq_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct crossvm_connection *conn = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%s\n", crossvm_irq_name(conn));
}
static DEVICE_ATTR_RO(crossvm_irq);

static ssize_t crossvm_layout_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct crossvm_connection *conn = dev_get_drvdata(dev);

	return sysfs_emit(buf, "%s\n", crossvm_is_split(conn) ? "split" : "single");
}
static DEVICE_ATTR_RO(crossvm_layout);

static struct attribute *crossvm_attrs[] = {
	&dev_attr_crossvm_access.attr,   &dev_attr_crossvm_connection_id.attr,
	&dev_attr_crossvm_doorbell.attr, &dev_attr_crossvm_irq.attr,
	&dev_attr_crossvm_layout.attr,   NULL,
};

const struct attribute_group crossvm_attributes = {
	.attrs = crossvm_attrs,
};
