/** Labels of names as hosts have them (RFC 1123), and underscores, which guests' names may have. */
const label = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;

/** Whether this is a name in the DNS, without its last dot and in lower case: up to 253 characters (RFC 1035, 2.3.4). */
export function isDomainName(text: string): boolean {
  return text.length <= 253 && text.split(".").every((part) => label.test(part));
}

/**
 * The guest's name in the DNS; null when the template makes none of the guest's name, or one outside the zone. Pure.
 * @param name the template, with `{guest}` in it.
 */
export function nameOf(
  { name, zone }: { name: string; zone: string },
  guest: string,
): string | null {
  if (!name.includes("{guest}")) return null;
  const made = name.replaceAll("{guest}", guest).toLowerCase().replace(/\.$/, "");
  return isDomainName(made) && made.endsWith(`.${zone}`) ? made : null;
}
