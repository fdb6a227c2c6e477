import { domainRewriteError } from "./errors.ts";
import { macOf } from "./facts/nic.ts";
import { type Edit, escapedXml } from "./xml/edit.ts";
import { attributeOf, elementAt, type XmlElement } from "./xml/element.ts";

/** Types of NIC whose end at the host is a tap, or can as well be one. */
export const tapTypes: ReadonlySet<string> = new Set(["ethernet", "bridge", "network"]);

/** What only belongs to the connection that a NIC had. */
const connection = new Set(["source", "virtualport", "vlan", "port", "script", "downscript"]);

/**
 * The edits that put a NIC on a tap which libvirt does not make.
 * @throws SojournError `SOJ_LIBVIRT_REWRITE` for another type of NIC, or a name that is no interface's.
 */
export function nicOnTap(xml: string, nic: XmlElement, tapName: string): Edit[] {
  const type = nic.attributes.get("type");
  if (type === undefined || !tapTypes.has(type.value)) {
    throw domainRewriteError(`NIC ${macOf(nic)} is of the type ${type?.value ?? "(none)"}`);
  }
  checkInterfaceName(tapName);
  const dropped = nic.children.filter(
    ({ name, namespace }) => namespace === "" && connection.has(name),
  );
  return [
    ...(type.value === "ethernet" ? [] : [{ ...type.span, text: "ethernet" }]),
    ...targetEdits(xml, nic, tapName),
    ...dropped.map(({ span }) => ({
      ...{ start: span.start - indentationAt(xml, span.start).length, end: span.end, text: "" },
    })),
  ];
}

function targetEdits(xml: string, nic: XmlElement, tapName: string): Edit[] {
  const target = elementAt(nic, "target");
  if (target !== undefined) {
    return [...attributeEdits(target, "dev", tapName), ...attributeEdits(target, "managed", "no")];
  }
  const { start, end } = (elementAt(nic, "mac") as XmlElement).span;
  const text = `${indentationAt(xml, start)}<target dev='${escapedXml(tapName)}' managed='no'/>`;
  return [{ start: end, end, text }];
}

function attributeEdits(element: XmlElement, name: string, value: string): Edit[] {
  const existing = element.attributes.get(name);
  if (existing !== undefined && attributeOf(element, name) === value) return [];
  const text = escapedXml(value);
  if (existing !== undefined) return [{ ...existing.span, text }];
  const last = [...element.attributes.values()].at(-1);
  const end = last === undefined ? element.nameEnd : last.span.end + 1;
  return [{ start: end, end, text: ` ${name}='${text}'` }];
}

/** The white space before a place. */
function indentationAt(xml: string, end: number): string {
  let start = end;
  while (start > 0 && " \t\r\n".includes(xml.charAt(start - 1))) start -= 1;
  return xml.slice(start, end);
}

/** Fewer names than the kernel takes (`dev_valid_name`). */
function checkInterfaceName(name: string): void {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,14}$/.test(name))
    throw domainRewriteError(`${JSON.stringify(name)} is no name of a tap`);
}
