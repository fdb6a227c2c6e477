/**
 * The subject alternative names of one type in a certificate (RFC 5280, 4.2.1.6); none when they cannot be told apart.
 * @param subjectAltName as Node prints it, "URI:…, IP Address:…".
 */
export function alternativeNames(
  subjectAltName: string | undefined,
  type: "URI" | "IP Address",
): string[] {
  // Node quotes entries that hold a comma; none of ours does, and a quoted one could imitate another entry.
  if (subjectAltName === undefined || subjectAltName.includes('"')) return [];
  const prefix = `${type}:`;
  return subjectAltName
    .split(", ")
    .filter((entry) => entry.startsWith(prefix))
    .map((entry) => entry.slice(prefix.length));
}
