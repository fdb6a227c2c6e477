import { domainXmlError } from "../errors.ts";
import { attributeOf, type XmlElement } from "../xml/element.ts";

/**
 * An amount with libvirt's units (`virScaleInteger`: `KiB` or `K` are 1024, `KB` 1000); KiB where there is none.
 * @throws SojournError `SOJ_LIBVIRT_XML` for what is no number, no unit, or no integer here.
 */
export function bytesOf(element: XmlElement): number {
  const amount = wholeNumber(element.text, element.name);
  const unit = attributeOf(element, "unit") ?? "KiB";
  const bytes = amount * unitBytes(unit, element.name);
  if (!Number.isSafeInteger(bytes)) throw domainXmlError(`<${element.name}> is too large`);
  return bytes;
}

/** @throws SojournError `SOJ_LIBVIRT_XML` unless the text is a whole number. */
export function wholeNumber(text: string, what: string): number {
  const digits = text.trim();
  if (/^\d{1,15}$/.test(digits)) return Number(digits);
  throw domainXmlError(`<${what}> is ${JSON.stringify(digits.slice(0, 40))}, no whole number`);
}

function unitBytes(unit: string, what: string): number {
  if (/^(b|bytes?)$/i.test(unit)) return 1;
  const [, letter, rest = ""] = /^([kmgtpe])(ib|b)?$/i.exec(unit) ?? [];
  if (letter === undefined) {
    throw domainXmlError(`<${what}> has the unit ${JSON.stringify(unit.slice(0, 20))}`);
  }
  const base = rest.toLowerCase() === "b" ? 1000 : 1024;
  return base ** (1 + "kmgtpe".indexOf(letter.toLowerCase()));
}
