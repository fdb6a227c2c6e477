import { badObject } from "../errors.ts";

/** The constants of one tunnel, as `struct tunnel_config` in ipip.bpf.c has them. */
export interface BpfConfig {
  localAddress: string;
  remoteAddress: string;
  underlayIndex: number;
  tunnelIndex: number;
  tunnelMac: string;
}

/**
 * A copy of the compiled object with one tunnel's constants in its `.rodata`.
 * @throws SojournError `SOJ_TUNNEL_OBJECT` unless `object` is a BPF ELF file with a `tunnel_config` of the right size.
 */
export function patchObject(object: Uint8Array, config: BpfConfig): Buffer {
  const patched = Buffer.from(object);
  encodeConfig(config).copy(patched, findSymbol(patched, "tunnel_config", configBytes));
  return patched;
}

const configBytes = 24;

function encodeConfig(config: BpfConfig): Buffer {
  const bytes = Buffer.alloc(configBytes);
  bytes.set(octets(config.localAddress, ".", 10), 0);
  bytes.set(octets(config.remoteAddress, ".", 10), 4);
  bytes.writeUInt32LE(config.underlayIndex, 8);
  bytes.writeUInt32LE(config.tunnelIndex, 12);
  bytes.set(octets(config.tunnelMac, ":", 16), 16);
  return bytes;
}

function octets(text: string, separator: string, radix: number): number[] {
  return text.split(separator).map((octet) => Number.parseInt(octet, radix));
}

// ELF-64 (System V gABI, chapter 4): little endian, machine EM_BPF.
const bpfMachine = 247;
const sectionHeaderBytes = 64;
const symbolBytes = 24;
const symbolTableType = 2;
const programDataType = 1;

interface Section {
  type: number;
  offset: number;
  size: number;
  link: number;
}

/** File offset of a data symbol of exactly `size` bytes. */
function findSymbol(elf: Buffer, name: string, size: number): number {
  const sections = readSections(elf);
  const table = sections.find(({ type }) => type === symbolTableType);
  const strings = table && sections[table.link];
  if (table === undefined || strings === undefined) throw badObject("it has no symbol table");
  for (let at = table.offset; at + symbolBytes <= table.offset + table.size; at += symbolBytes) {
    if (textAt(elf, strings, elf.readUInt32LE(at)) !== name) continue;
    const section = sections[elf.readUInt16LE(at + 6)];
    const value = Number(elf.readBigUInt64LE(at + 8));
    const symbolSize = Number(elf.readBigUInt64LE(at + 16));
    if (section?.type !== programDataType || symbolSize !== size || value + size > section.size) {
      throw badObject(`the BPF object's ${name} is not ${size} bytes of data`);
    }
    return section.offset + value;
  }
  throw badObject(`the BPF object has no ${name}`);
}

function readSections(elf: Buffer): Section[] {
  if (elf.length < 64 || elf.readUInt32BE(0) !== 0x7f454c46 || elf[4] !== 2 || elf[5] !== 1) {
    throw badObject("the BPF object is not a little-endian 64-bit ELF file");
  }
  if (elf.readUInt16LE(18) !== bpfMachine) throw badObject("the object is not for BPF");
  const start = Number(elf.readBigUInt64LE(40));
  const count = elf.readUInt16LE(60);
  if (
    elf.readUInt16LE(58) !== sectionHeaderBytes ||
    !fits(elf, start, count * sectionHeaderBytes)
  ) {
    throw badObject("the BPF object's section table is damaged");
  }
  return Array.from({ length: count }, (_, index) =>
    readSection(elf, start + index * sectionHeaderBytes),
  );
}

function readSection(elf: Buffer, at: number): Section {
  const type = elf.readUInt32LE(at + 4);
  const offset = Number(elf.readBigUInt64LE(at + 24));
  const size = Number(elf.readBigUInt64LE(at + 32));
  const hasBytes = type === symbolTableType || type === 3 || type === programDataType;
  if (hasBytes && !fits(elf, offset, size)) throw badObject("the BPF object is cut short");
  return { type, offset, size, link: elf.readUInt32LE(at + 40) };
}

function textAt(elf: Buffer, strings: Section, offset: number): string | null {
  if (offset >= strings.size || !fits(elf, strings.offset, strings.size)) return null;
  const end = elf.indexOf(0, strings.offset + offset);
  if (end < 0 || end >= strings.offset + strings.size) return null;
  return elf.toString("latin1", strings.offset + offset, end);
}

function fits(elf: Buffer, offset: number, size: number): boolean {
  return offset + size <= elf.length;
}
