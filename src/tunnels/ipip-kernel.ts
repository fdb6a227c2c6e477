import { type Recipe, refuseSameEndpoints } from "./recipe.ts";

/** IP in IP (RFC 2003) with the kernel's `ipip` device. */
export function ipipKernelRecipe(): Recipe {
  return {
    kind: "ipip",
    datapath: "kernel",
    overheadBytes: 20,
    linkKind: "ipip",
    linkArguments: ({ spec, underlay }) => [
      ...endpoints(spec.localAddress, spec.remoteAddress),
      ...["ttl", "64", "tos", "inherit", "pmtudisc", "dev", underlay.name],
    ],
    // Loopback addresses: no real tunnel has these endpoints.
    probeArguments: () => endpoints("127.83.0.1", "127.83.0.2"),
    check: (context) => refuseSameEndpoints(context, "ipip"),
    nextHop: () => null,
  };
}

function endpoints(local: string, remote: string): string[] {
  return ["type", "ipip", "local", local, "remote", remote];
}
