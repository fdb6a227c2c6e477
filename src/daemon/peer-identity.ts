import { namePattern } from "../platform/names.ts";

/**
 * Host name in a certificate's URI SAN `sojourn://host/NAME`, or null unless there is exactly one.
 * @param subjectAltName as Node prints it, "URI:…, IP Address:…".
 */
export function hostNameOf(subjectAltName: string | undefined): string | null {
  // Node quotes entries that hold a comma; none of ours does, and a quoted one could imitate another entry.
  if (subjectAltName === undefined || subjectAltName.includes('"')) return null;
  const names = subjectAltName
    .split(", ")
    .filter((entry) => entry.startsWith(uriPrefix))
    .map((entry) => entry.slice(uriPrefix.length));
  const [name] = names;
  return names.length === 1 && name !== undefined && namePattern.test(name) ? name : null;
}

const uriPrefix = "URI:sojourn://host/";
