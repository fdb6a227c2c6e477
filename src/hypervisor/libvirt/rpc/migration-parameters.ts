import { parameter, type TypedParameter } from "./xdr/typed-parameter.ts";

/** What the phases of a migration may be told (`VIR_MIGRATE_PARAM_…`). Everything may be left out. */
export interface MigrationParameters {
  /** Where the stream goes, `tcp://HOST[:PORT]`. */
  uri?: string;
  /** The domain's name at the destination. */
  destinationName?: string;
  /** The definition that the guest runs with at the destination. */
  destinationXml?: string;
  /** The definition that stays there. */
  persistentXml?: string;
  bandwidthMibps?: number;
  postCopyBandwidthMibps?: number;
  /** What QEMU counts on for the switchover; libvirt 11.1 and newer. */
  switchoverBandwidthMibps?: number;
  graphicsUri?: string;
  /** Where the destination listens. */
  listenAddress?: string;
  /** Disks that are copied, by target; the others are not. */
  disks?: readonly string[];
  disksPort?: number;
  disksUri?: string;
  /** Methods: `xbzrle`, `mt`, `zlib`, `zstd`. */
  compression?: readonly string[];
  xbzrleCacheBytes?: number;
  zlibLevel?: number;
  zstdLevel?: number;
  /** Percent. */
  autoConvergeInitial?: number;
  /** Percent. */
  autoConvergeIncrement?: number;
  parallelConnections?: number;
  /** The name that the destination's certificate must have. */
  tlsDestination?: string;
}

const long = (name: string) => (value: number) => [parameter.ullong(name, BigInt(value))];
const int = (name: string) => (value: number) => [parameter.int(name, value)];
const string = (name: string) => (value: string) => [parameter.string(name, value)];
const strings = (name: string) => (values: readonly string[]) =>
  values.map((value) => parameter.string(name, value));

const encoders: {
  [Key in keyof MigrationParameters]-?: (
    value: NonNullable<MigrationParameters[Key]>,
  ) => TypedParameter[];
} = {
  uri: string("migrate_uri"),
  destinationName: string("destination_name"),
  destinationXml: string("destination_xml"),
  persistentXml: string("persistent_xml"),
  bandwidthMibps: long("bandwidth"),
  postCopyBandwidthMibps: long("bandwidth.postcopy"),
  switchoverBandwidthMibps: long("bandwidth.avail.switchover"),
  graphicsUri: string("graphics_uri"),
  listenAddress: string("listen_address"),
  disks: strings("migrate_disks"),
  disksPort: int("disks_port"),
  disksUri: string("disks_uri"),
  compression: strings("compression"),
  xbzrleCacheBytes: long("compression.xbzrle.cache"),
  zlibLevel: int("compression.zlib.level"),
  zstdLevel: int("compression.zstd.level"),
  autoConvergeInitial: int("auto_converge.initial"),
  autoConvergeIncrement: int("auto_converge.increment"),
  parallelConnections: int("parallel.connections"),
  tlsDestination: string("tls.destination"),
};

/** As the phases take them; every phase takes all of them and uses what it needs. */
export function migrationParameters(chosen: MigrationParameters): TypedParameter[] {
  return Object.entries(encoders).flatMap(([key, encode]) => {
    const value = chosen[key as keyof MigrationParameters];
    return value === undefined ? [] : (encode as (value: unknown) => TypedParameter[])(value);
  });
}
