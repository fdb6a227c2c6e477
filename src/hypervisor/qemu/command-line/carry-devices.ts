import { OptionList } from "./option-list.ts";
import type { Rewriting } from "./rewriting.ts";

/** `-device`: what is of this host cannot be made again. */
export function device(value: string, rewriting: Rewriting): string[] {
  const list = OptionList.parse(value, "driver");
  const driver = list.get("driver") ?? "";
  const reason = bound.find(({ drivers }) => drivers.test(driver))?.reason;
  if (reason !== undefined) rewriting.refuse(`device ${driver}: ${reason}`);
  for (const key of ["fd", "vhostfd"]) {
    if (list.has(key)) rewriting.refuse(`device ${driver}: a descriptor of this process alone`);
  }
  const whole = rewriting.paths(list, ["romfile", "file"]);
  return ["-device", whole.toString() === list.toString() ? value : whole.toString()];
}

/** `-object`: backends of memory, random numbers, threads; secrets only as files. */
export function namedObject(value: string, rewriting: Rewriting): string[] {
  const list = OptionList.parse(value, "qom-type");
  const type = list.get("qom-type") ?? "";
  const id = list.get("id") ?? "";
  if (/^(tls-creds-|authz-|secret)/.test(type) && !rewriting.isReferredTo(id, value)) return [];
  if (type.startsWith("tls-creds-") || type.startsWith("authz-")) {
    rewriting.warn(`${id} (${type}) stays behind with what it protected`);
    return [];
  }
  if (type.startsWith("secret") && list.has("data")) {
    rewriting.refuse(`secret ${id} is written on the command line; put it into a file`);
    return [];
  }
  if (hostObjects.test(type)) rewriting.refuse(`object ${type}: it is bound to this host`);
  const whole = rewriting.paths(list, ["mem-path", "file", "filename"]);
  const memory = whole.get("mem-path");
  if (memory !== undefined && rewriting.surroundings.look(memory) !== "folder") {
    rewriting.refuse(
      `object ${type}: the guest's memory is the file ${memory}, which another process would write into`,
    );
  }
  return ["-object", whole.toString() === list.toString() ? value : whole.toString()];
}

const hostObjects =
  /^(sev|tdx|filter-|colo|input-linux|can-host|x-remote|x-vfio|cryptodev-vhost|memory-backend-epc|memory-backend-shm)/;

const bound: { drivers: RegExp; reason: string }[] = [
  { drivers: /^(vfio-|pci-assign|xen-)/, reason: "it is a device of this host" },
  { drivers: /^vhost-user-/, reason: "another program of this host serves it" },
  { drivers: /^(vhost-scsi|vhost-vdpa)/, reason: "this host's kernel serves it" },
  { drivers: /^(usb-host|u2f-passthru|ccid-card-passthru)/, reason: "it is a device of this host" },
  { drivers: /^scsi-(generic|block)$/, reason: "it is a device of this host" },
  { drivers: /^ivshmem/, reason: "its memory is shared with other processes of this host" },
  { drivers: /^virtio-9p/, reason: "a folder of this host is shared with the guest" },
  { drivers: /^tpm-/, reason: "the TPM's state is kept on this host" },
];
