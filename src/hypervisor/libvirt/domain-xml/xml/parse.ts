import { type SaxesAttributeNSIncomplete, SaxesParser, type SaxesTagNS } from "saxes";
import { reasonOf } from "../../../../platform/errors.ts";
import { domainXmlError } from "../errors.ts";
import { deepestElement, longestDomainXmlBytes, mostElements } from "../limits.ts";
import type { XmlAttribute, XmlElement } from "./element.ts";

/** An element while its end has not been seen. */
interface OpenElement extends XmlElement {
  attributes: Map<string, XmlAttribute>;
  children: XmlElement[];
}

/**
 * Reads a text as XML 1.0 with namespaces, well-formed to the letter. A document type is refused, and with it every
 * entity but XML's own five.
 * @throws SojournError `SOJ_LIBVIRT_XML` for anything else, and beyond the limits of `limits.ts`.
 */
export function parseXml(text: string): XmlElement {
  checkText(text);
  const reader = new TreeReader(text);
  try {
    return reader.read();
  } catch (thrown) {
    throw domainXmlError(reasonOf(thrown), thrown);
  }
}

function checkText(text: string): void {
  // A character is three bytes at most, so most texts need not be counted.
  const isLong =
    text.length > longestDomainXmlBytes ||
    (3 * text.length > longestDomainXmlBytes && Buffer.byteLength(text) > longestDomainXmlBytes);
  if (isLong) throw domainXmlError(`it is longer than ${longestDomainXmlBytes} bytes`);
  // The parser would take half of a surrogate pair, and what follows it, for one character.
  if (!text.isWellFormed()) throw domainXmlError("it is not Unicode");
}

/** Throws plain errors, in the parser's words or our own. */
class TreeReader {
  readonly #text: string;
  readonly #parser = new SaxesParser({
    ...{ xmlns: true, position: true },
    ...{ defaultXMLVersion: "1.0", forceXMLVersion: true },
  });
  readonly #open: OpenElement[] = [];
  #root: XmlElement | undefined;
  #elements = 0;

  constructor(text: string) {
    this.#text = text;
    this.#parser.on("doctype", () => this.#refuse("a document type is not taken"));
    this.#parser.on("opentagstart", ({ name }) => this.#begin(name));
    this.#parser.on("attribute", (attribute) => this.#attribute(attribute));
    this.#parser.on("opentag", (tag) => this.#opened(tag));
    this.#parser.on("text", (characters) => this.#characters(characters));
    this.#parser.on("cdata", (characters) => this.#characters(characters));
    this.#parser.on("closetag", (tag) => this.#closed(tag));
  }

  read(): XmlElement {
    this.#parser.write(this.#text).close();
    if (this.#root === undefined) throw new Error("no element");
    return this.#root;
  }

  #begin(name: string): void {
    this.#elements += 1;
    if (this.#elements > mostElements) this.#refuse(`more than ${mostElements} elements`);
    if (this.#open.length >= deepestElement) {
      this.#refuse(`elements within more than ${deepestElement} others`);
    }
    const start = this.#text.lastIndexOf("<", this.#parser.position - 1);
    this.#open.push({
      ...{ name, namespace: "", attributes: new Map(), children: [], text: "" },
      ...{ span: { start, end: start }, nameEnd: start + 1 + name.length, content: null },
    });
  }

  #attribute({ name, value }: SaxesAttributeNSIncomplete): void {
    // The parser stands behind the closing quote, and a value does not hold the quote that it is in.
    const end = this.#parser.position - 1;
    const start = this.#text.lastIndexOf(this.#text.charAt(end), end - 1) + 1;
    this.#open.at(-1)?.attributes.set(name, { value, span: { start, end } });
  }

  #opened({ local, uri, isSelfClosing }: SaxesTagNS): void {
    const element = this.#open.at(-1);
    if (element === undefined) return;
    element.name = local;
    element.namespace = uri;
    const start = this.#parser.position;
    if (!isSelfClosing) element.content = { start, end: start };
  }

  #characters(characters: string): void {
    const element = this.#open.at(-1);
    if (element !== undefined) element.text += characters;
  }

  #closed(_tag: SaxesTagNS): void {
    const element = this.#open.pop();
    if (element === undefined) return;
    const end = this.#parser.position;
    element.span.end = end;
    if (element.content !== null) element.content.end = this.#text.lastIndexOf("</", end - 1);
    const parent = this.#open.at(-1);
    if (parent === undefined) this.#root = element;
    else parent.children.push(element);
  }

  #refuse(what: string): never {
    throw this.#parser.makeError(what);
  }
}
