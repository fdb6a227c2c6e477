import { writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { wallClockMs } from "../../platform/clock.ts";
import { reasonOf, SojournError, usageError } from "../../platform/errors.ts";
import { releaseVersion } from "../../platform/release.ts";
import { type Part, partsOf } from "./contents.ts";
import { looseValues, placesIn, readRawConfig } from "./raw-config.ts";
import { Scrubber } from "./scrub.ts";
import { knownSecrets } from "./secrets.ts";
import { tarOf } from "./tar.ts";

export interface BundleOptions {
  configPath: string;
  /** Where it goes; an existing file is not overwritten. */
  outPath: string;
  redactAddresses: boolean;
}

/** What a bundle holds, as its `manifest.json` and the command's result say. */
export interface BundleManifest {
  created: string;
  release: string;
  addresses_redacted: boolean;
  files: { name: string; about: string; bytes: number; truncated: boolean; error: string | null }[];
}

/** Longest file in a bundle, in bytes; of a longer one the end that counts is kept. */
export const mostFileBytes = 4 * 1024 * 1024;

/**
 * Writes an archive for whoever helps: what is known of this host's Sojourn, without secrets.
 * @param choose stands in for what goes into it, in tests.
 * @throws SojournError `SOJ_USAGE` when there is a file already; `SOJ_BUNDLE_UNWRITABLE`.
 */
export async function writeBundle(
  options: BundleOptions,
  choose = partsOf,
): Promise<{ path: string; bytes: number; manifest: BundleManifest }> {
  const config = await readRawConfig(options.configPath);
  const secrets = await knownSecrets([config, await looseValues(options.configPath)]);
  const scrubber = new Scrubber({ secrets, redactAddresses: options.redactAddresses });
  const files: ReadPart[] = [];
  for (const part of choose(options.configPath, config, placesIn(config))) {
    files.push(await readPart(part, scrubber));
  }
  const nowMs = wallClockMs();
  const manifest: BundleManifest = {
    created: new Date(nowMs).toISOString(),
    release: releaseVersion(),
    addresses_redacted: options.redactAddresses,
    files: files.map(({ content, ...about }) => ({ ...about, bytes: content.length })),
  };
  const first = { name: "manifest.json", content: Buffer.from(JSON.stringify(manifest, null, 2)) };
  const packed = await promisify(gzip)(
    tarOf(
      [first, ...files].map(({ name, content }) => ({ name: `sojourn-support/${name}`, content })),
      nowMs,
    ),
  );
  const path = resolve(options.outPath);
  await writeNew(path, packed);
  return { path, bytes: packed.length, manifest };
}

interface ReadPart {
  name: string;
  about: string;
  content: Buffer;
  truncated: boolean;
  /** Why it is missing; null when it is there. */
  error: string | null;
}

/** What cannot be read is missing, and the manifest says why: the rest is wanted all the more. */
async function readPart(part: Part, scrubber: Scrubber): Promise<ReadPart> {
  const { name, about } = part;
  try {
    return { name, about, ...bounded(scrubber.scrub(await part.read()), part), error: null };
  } catch (thrown) {
    const message = reasonOf(thrown);
    const error = scrubber.scrub(message).slice(0, 1_000);
    return { name, about, content: Buffer.alloc(0), truncated: false, error };
  }
}

function bounded(text: string, { keep = "start" }: Part): { content: Buffer; truncated: boolean } {
  const content = Buffer.from(text);
  if (content.length <= mostFileBytes) return { content, truncated: false };
  const cut =
    keep === "start" ? content.subarray(0, mostFileBytes) : content.subarray(-mostFileBytes);
  return { content: cut, truncated: true };
}

async function writeNew(path: string, content: Buffer): Promise<void> {
  try {
    await writeFile(path, content, { mode: 0o600, flag: "wx" });
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const hint = "name another place with --out FILE";
    if (code === "EEXIST") throw usageError(`${path} exists already`, hint);
    throw new SojournError("SOJ_BUNDLE_UNWRITABLE", `cannot write ${path}: ${message}`, {
      ...{ cause, exitCode: 3, hint },
    });
  }
}
