import type { Action, Change } from "../../../src/routing/actions.ts";
import { type DesiredState, ourProtocol, type Rule } from "../../../src/routing/desired.ts";
import { bridgeMac, isOurLink } from "../../../src/routing/diff-links.ts";
import type { KernelLink, KernelState } from "../../../src/routing/kernel-state.ts";
import { renderTables } from "../../../src/routing/ruleset.ts";
import type { SysctlMemoryEntry } from "../../../src/routing/sysctl-memory.ts";

const guestsMac = "52:54:00:99:00:01";

/** A kernel of data only, which does what actions mean and, like the real one, refuses doubles and unknowns. */
export class ModelKernel {
  readonly memory = new Map<string, SysctlMemoryEntry>();
  readonly #state: KernelState;

  constructor(foreign: Partial<KernelState> = {}) {
    this.#state = structuredClone({
      hasIpv6: true,
      links: ["eth0", "tun0", "tun1", "sjv000000001", "guests0"].map(someLink),
      addresses: [],
      routes: [],
      rules: [],
      neighbours: [],
      fdb: [],
      sysctls: new Map([
        ["net/ipv4/conf/tun0/rp_filter", "0"],
        ["net/ipv4/conf/tun1/rp_filter", "1"],
      ]),
      tables: { ip: null, bridge: null },
      ...foreign,
    });
  }

  read(_desired: DesiredState): KernelState {
    return structuredClone(this.#state);
  }

  execute(actions: readonly Action[]): void {
    for (const { change } of actions) this.#do(change);
  }

  everything(): unknown {
    return structuredClone(this.#state);
  }

  foreign(): unknown {
    const { links, routes, rules, neighbours } = this.#state;
    return {
      links: links.filter((link) => !isOurLink(link)),
      routes: routes.filter(({ protocol }) => protocol !== ourProtocol),
      rules: rules.filter(({ protocol }) => protocol !== ourProtocol),
      neighbours: neighbours.filter(({ protocol }) => protocol !== ourProtocol),
    };
  }

  /** Our objects in the same form as `wanted`. */
  ours(): unknown {
    const { links, routes, rules, neighbours, fdb, tables } = this.#state;
    const isOurs = ({ protocol }: { protocol: number }) => protocol === ourProtocol;
    return {
      links: texts(links.filter(isOurLink).map((l) => [l.name, l.up, l.master])),
      routes: texts(
        routes.filter(isOurs).map((r) => [r.table, r.prefix, r.type, r.device, r.via, r.mtu]),
      ),
      rules: texts(rules.filter(isOurs).map((r) => ruleFields(r))),
      neighbours: texts(
        neighbours
          .filter(isOurs)
          .map((n) => [n.proxy, n.device, n.address, n.proxy ? null : n.mac]),
      ),
      fdb: texts(fdb.map((entry) => [entry.device, entry.mac])),
      tables: [tables.ip?.digest ?? null, tables.bridge?.digest ?? null],
    };
  }

  static wanted(desired: DesiredState): unknown {
    const { ip, bridge } = renderTables(desired.filter, () => guestsMac, new Set());
    return {
      links: texts([
        ...desired.bridges.map(({ name }) => [name, true, null]),
        ...desired.taps.map(({ name, bridge: master }) => [name, true, master]),
      ]),
      routes: texts(desired.routes.map((r) => [r.table, r.prefix, r.type, r.device, r.via, r.mtu])),
      rules: texts(desired.rules.map((r) => ruleFields(r))),
      neighbours: texts(
        desired.neighbours.map((n) => [
          n.kind === "proxy",
          n.device,
          n.address,
          n.kind === "proxy" ? null : n.mac,
        ]),
      ),
      fdb: texts(desired.fdb.map((entry) => [entry.device, entry.mac])),
      tables: [ip?.digest ?? null, bridge?.digest ?? null],
    };
  }

  #do(change: Change): void {
    const state = this.#state;
    switch (change.kind) {
      case "add-link":
        state.links.push({ ...someLink(change.name), kind: change.linkKind, up: false });
        return;
      case "set-link":
        Object.assign(
          only(state.links, ({ name }) => name === change.name),
          change.set,
        );
        return;
      case "remove-link":
        remove(state.links, ({ name }) => name === change.name);
        state.fdb = state.fdb.filter(({ device }) => device !== change.name);
        state.addresses = state.addresses.filter(({ device }) => device !== change.name);
        return;
      case "add-address":
        state.addresses.push({ device: change.device, address: change.address });
        return;
      case "add-route":
        state.routes.push(change.route);
        return;
      case "replace-route":
        remove(state.routes, (other) => isSameKey(other, change.route));
        state.routes.push(change.route);
        return;
      case "remove-route":
        remove(state.routes, (other) => isSameKey(other, change.route));
        return;
      case "add-rule":
        state.rules.push(change.rule);
        return;
      case "remove-rule":
        remove(state.rules, (other) => JSON.stringify(other) === JSON.stringify(change.rule));
        return;
      case "set-neighbour":
      case "remove-neighbour": {
        const { device, address, kind } = change.neighbour;
        const isSame = (other: { device: string; address: string; proxy: boolean }) =>
          other.device === device &&
          other.address === address &&
          other.proxy === (kind === "proxy");
        state.neighbours = state.neighbours.filter((other) => !isSame(other));
        if (change.kind === "remove-neighbour") return;
        const mac = change.neighbour.kind === "proxy" ? null : change.neighbour.mac;
        const [proxy, protocol] = [kind === "proxy", ourProtocol];
        state.neighbours.push({ device, address, mac, proxy, permanent: !proxy, protocol });
        return;
      }
      case "set-fdb":
        state.fdb = state.fdb.filter(({ mac }) => mac !== change.entry.mac);
        state.fdb.push({ ...change.entry, bridge: "guests0", kind: "static" });
        return;
      case "remove-fdb":
        remove(
          state.fdb,
          ({ device, mac }) => device === change.entry.device && mac === change.entry.mac,
        );
        return;
      case "set-sysctl":
        state.sysctls.set(change.path, change.value);
        if (change.remember === null) this.memory.delete(change.path);
        else this.memory.set(change.path, change.remember);
        return;
      case "forget-sysctl":
        this.memory.delete(change.path);
        return;
      case "load-tables":
        state.tables = { ip: loaded(change.ip), bridge: loaded(change.bridge) };
        return;
    }
  }
}

function someLink(name: string): KernelLink {
  const isBridge = name === "guests0" || name.startsWith("sjb");
  return {
    ...{ index: 1, name, kind: isBridge ? "bridge" : "veth" },
    ...{ mac: name.startsWith("sjb") ? bridgeMac({ name, mac: null }) : guestsMac },
    ...{ mtu: 1500, up: true, master: null, txQueueLength: 500, learning: null },
  };
}

function loaded(digest: string | null) {
  return digest === null ? null : { digest, listing: "" };
}

type RouteKey = { table: number; prefix: string; metric: number };
const isSameKey = (a: RouteKey, b: RouteKey) =>
  a.table === b.table && a.prefix === b.prefix && a.metric === b.metric;

function only<Item>(items: Item[], matches: (item: Item) => boolean): Item {
  const [found, another] = items.filter(matches);
  if (found === undefined || another !== undefined) throw new Error("not exactly one");
  return found;
}

function remove<Item>(items: Item[], matches: (item: Item) => boolean): void {
  items.splice(items.indexOf(only(items, matches)), 1);
}

function texts(values: readonly unknown[]): string[] {
  return values.map((value) => JSON.stringify(value)).toSorted();
}

function ruleFields({ priority, table, iif, from, to, mark, hostRoutesOnly }: Rule) {
  return [priority, table, iif, from, to, mark, hostRoutesOnly];
}
