import { attributeOf, childrenOf, elementAt, type XmlElement } from "../xml/element.ts";

/** A device of the host that the guest has for itself. */
export interface HostDevice {
  mode: "subsystem" | "capabilities" | (string & {});
  type: "pci" | "usb" | "scsi" | "scsi_host" | "mdev" | (string & {});
  /** Which one, as far as it can be told in a word: `0000:3b:00.0`, `046d:c52b`, a UUID; null otherwise. */
  address: string | null;
  teaming: string | null;
}

export function readHostDevices(domain: XmlElement): HostDevice[] {
  return childrenOf(elementAt(domain, "devices"), "hostdev").map((device) => ({
    mode: attributeOf(device, "mode") ?? "subsystem",
    type: attributeOf(device, "type") ?? "",
    address: addressOf(elementAt(device, "source")),
    teaming: attributeOf(elementAt(device, "teaming"), "type"),
  }));
}

function addressOf(source: XmlElement | undefined): string | null {
  const vendor = attributeOf(elementAt(source, "vendor"), "id");
  const product = attributeOf(elementAt(source, "product"), "id");
  if (vendor !== null && product !== null) return `${hex(vendor, 4)}:${hex(product, 4)}`;
  const address = elementAt(source, "address");
  const uuid = attributeOf(address, "uuid");
  if (uuid !== null) return uuid;
  const part = (name: string, digits: number) => hex(attributeOf(address, name) ?? "0", digits);
  if (attributeOf(address, "slot") !== null) {
    return `${part("domain", 4)}:${part("bus", 2)}:${part("slot", 2)}.${part("function", 1)}`;
  }
  const adapter = attributeOf(elementAt(source, "adapter"), "name");
  return adapter ?? attributeOf(source, "wwpn");
}

/** Numbers are decimal, or hexadecimal with `0x`; shown as lspci and lsusb show them. */
function hex(number: string, digits: number): string {
  const value = Number(number);
  return Number.isInteger(value) ? value.toString(16).padStart(digits, "0") : number;
}
