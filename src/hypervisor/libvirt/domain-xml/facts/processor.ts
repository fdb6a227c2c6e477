import { attributeOf, childrenOf, elementAt, textOf, type XmlElement } from "../xml/element.ts";
import { wholeNumber } from "./quantity.ts";

export interface CpuFeature {
  name: string;
  policy: "force" | "require" | "optional" | "disable" | "forbid" | (string & {});
}

/** The guest's processors (https://libvirt.org/formatdomain.html#cpu-model-and-topology). */
export interface Processor {
  vcpus: number;
  /** Of them, how many the guest has now. */
  currentVcpus: number;
  /** `custom` names a model; the others are what the host makes of them. Null without `<cpu>`. */
  mode: "custom" | "host-model" | "host-passthrough" | "maximum" | (string & {}) | null;
  model: string | null;
  /** Whether a passed-through processor is kept to what can migrate; null where it is not said. */
  isMigratable: boolean | null;
  features: readonly CpuFeature[];
  /** Of the `tsc` timer; null without. */
  tscHz: number | null;
  /** Processors of the host that the guest's are held to, as lists of libvirt's. */
  hostCpus: readonly string[];
}

export function readProcessor(domain: XmlElement): Processor {
  const vcpu = elementAt(domain, "vcpu");
  const vcpus = vcpu === undefined ? 1 : wholeNumber(vcpu.text, "vcpu");
  const current = attributeOf(vcpu, "current");
  const cpu = elementAt(domain, "cpu");
  const migratable = attributeOf(cpu, "migratable");
  return {
    vcpus,
    currentVcpus: current === null ? vcpus : wholeNumber(current, "vcpu"),
    mode: cpu === undefined ? null : (attributeOf(cpu, "mode") ?? "custom"),
    model: textOf(elementAt(cpu, "model")),
    isMigratable: migratable === null ? null : migratable === "on",
    features: childrenOf(cpu, "feature").map((feature) => ({
      name: attributeOf(feature, "name") ?? "",
      policy: attributeOf(feature, "policy") ?? "require",
    })),
    tscHz: tscHz(domain),
    hostCpus: hostCpus(domain, vcpu),
  };
}

function tscHz(domain: XmlElement): number | null {
  const timers = childrenOf(elementAt(domain, "clock"), "timer");
  const frequency = attributeOf(
    timers.find((timer) => attributeOf(timer, "name") === "tsc"),
    "frequency",
  );
  return frequency === null ? null : wholeNumber(frequency, "timer");
}

function hostCpus(domain: XmlElement, vcpu: XmlElement | undefined): string[] {
  const pins = (elementAt(domain, "cputune")?.children ?? []).filter(({ name }) =>
    ["vcpupin", "emulatorpin", "iothreadpin"].includes(name),
  );
  const lists = [vcpu, ...pins].map((element) => attributeOf(element, "cpuset"));
  return [...new Set(lists.filter((list) => list !== null))];
}
