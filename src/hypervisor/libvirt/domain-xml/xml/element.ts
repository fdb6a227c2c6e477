/** From `start` up to, not including, `end`: places in the text that was read, as JavaScript counts. */
export interface Span {
  start: number;
  end: number;
}

export interface XmlAttribute {
  /** With its references resolved. */
  value: string;
  /** What is between the quotes. */
  span: Span;
}

/** An element of a document, with the places that a change needs. */
export interface XmlElement {
  /** Without prefix. */
  name: string;
  /** Its namespace; empty for libvirt's own elements. */
  namespace: string;
  /** By name with prefix, in the order of the text. */
  attributes: ReadonlyMap<string, XmlAttribute>;
  children: readonly XmlElement[];
  /** Its own text, without that of its children. */
  text: string;
  /** From its `<` to its last `>`. */
  span: Span;
  /** Where an attribute can be added: right behind its name. */
  nameEnd: number;
  /** What is between its tags; null where it is one tag (`<a/>`). */
  content: Span | null;
}

/** The children of a name that are libvirt's own. */
export function childrenOf(element: XmlElement | undefined, name: string): XmlElement[] {
  return element?.children.filter((child) => child.name === name && child.namespace === "") ?? [];
}

/** The first element at the end of a path of names; libvirt takes the first one too. */
export function elementAt(
  element: XmlElement | undefined,
  ...path: readonly string[]
): XmlElement | undefined {
  let found = element;
  for (const name of path) {
    found = found?.children.find((child) => child.name === name && child.namespace === "");
  }
  return found;
}

/** Every element at the end of a path of names. */
export function elementsAt(
  element: XmlElement | undefined,
  ...path: readonly string[]
): XmlElement[] {
  let found = element === undefined ? [] : [element];
  for (const name of path) found = found.flatMap((each) => childrenOf(each, name));
  return found;
}

/** An attribute's value; null without it, or when empty, which libvirt takes as absent nearly everywhere. */
export function attributeOf(element: XmlElement | undefined, name: string): string | null {
  return element?.attributes.get(name)?.value || null;
}

/** An element's text; null without it, or when empty. */
export function textOf(element: XmlElement | undefined): string | null {
  return element?.text || null;
}

/** Whether an attribute says `yes` (libvirt's `virTristateBool`, and `on`, its `virTristateSwitch`). */
export function isYes(element: XmlElement | undefined, name: string): boolean {
  const value = attributeOf(element, name);
  return value === "yes" || value === "on";
}
