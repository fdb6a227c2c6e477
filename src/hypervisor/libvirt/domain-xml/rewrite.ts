import { parseDomainDocument } from "./document.ts";
import { domainRewriteError } from "./errors.ts";
import { macOf } from "./facts/nic.ts";
import { hostPathsOf } from "./host-paths.ts";
import { nicOnTap } from "./nic-on-tap.ts";
import { type Edit, edited, escapedXml } from "./xml/edit.ts";
import { elementsAt, type XmlElement } from "./xml/element.ts";

/** What of a domain shall be different at the destination. */
export interface DomainChanges {
  /** NICs that get a tap which exists there. */
  nics?: readonly { mac: string; tapName: string }[];
  /** Paths of the host, each with the one that takes its place wherever it stands. */
  paths?: ReadonlyMap<string, string>;
}

/**
 * A domain's description with changes. Every character that they do not touch stays, and what the guest sees of its
 * hardware with it. A NIC gets its tap as `<interface type='ethernet'>` with `<target managed='no'>`, whatever it was on
 * before: libvirt then uses the tap as it is (it must exist when QEMU starts) and compares only MAC, model, MTU and address
 * of the NICs of both ends (`virDomainNetDefCheckABIStability`). What only makes sense with the old connection goes:
 * source, virtual port, VLAN, port isolation, scripts.
 * @throws SojournError `SOJ_LIBVIRT_XML`; `SOJ_LIBVIRT_REWRITE` for a NIC or path that the domain has not, a NIC whose type
 * cannot be led to a tap, or a name that is no interface's or no path.
 */
export function rewriteDomain(
  xml: string,
  { nics = [], paths = new Map() }: DomainChanges,
): string {
  const domain = parseDomainDocument(xml);
  const interfaces = elementsAt(domain, "devices", "interface");
  const taps = new Set(nics.map(({ tapName }) => tapName));
  const macs = new Set(nics.map(({ mac }) => mac.toLowerCase()));
  if (Math.min(taps.size, macs.size) < nics.length) {
    throw domainRewriteError("a NIC or a tap is named twice");
  }
  const nicEdits = nics.flatMap(({ mac, tapName }) =>
    nicOnTap(xml, nicWithMac(interfaces, mac), tapName),
  );
  const kept = pathEdits(domain, paths).filter(
    (path) => !nicEdits.some((edit) => edit.start <= path.start && path.end <= edit.end),
  );
  return edited(xml, [...nicEdits, ...kept]);
}

function nicWithMac(interfaces: readonly XmlElement[], mac: string): XmlElement {
  const wanted = mac.toLowerCase();
  const [nic, another] = interfaces.filter((each) => macOf(each) === wanted);
  if (nic === undefined || wanted === "")
    throw domainRewriteError(`it has no NIC ${JSON.stringify(mac)}`);
  if (another !== undefined) throw domainRewriteError(`two of its NICs are ${wanted}`);
  return nic;
}

function pathEdits(domain: XmlElement, paths: ReadonlyMap<string, string>): Edit[] {
  const places = hostPathsOf(domain);
  const named = new Set(places.map(({ path }) => path));
  for (const [from, to] of paths) {
    if (!named.has(from)) throw domainRewriteError(`it does not name ${JSON.stringify(from)}`);
    if (!/^\/[^\p{Cc}\p{Cs}\uFFFE\uFFFF]{0,4095}$/u.test(to)) {
      throw domainRewriteError(`${JSON.stringify(to)} is no absolute path`);
    }
  }
  return places.flatMap(({ path, place }) => {
    const replacement = paths.get(path);
    if (replacement === undefined || replacement === path) return [];
    return [{ ...place, text: escapedXml(replacement) }];
  });
}
