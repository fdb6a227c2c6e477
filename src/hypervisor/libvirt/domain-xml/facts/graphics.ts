import { attributeOf, childrenOf, elementAt, isYes, type XmlElement } from "../xml/element.ts";

/** A way to see the guest's screen. */
export interface Graphics {
  type: "vnc" | "spice" | "rdp" | "sdl" | "egl-headless" | "dbus" | (string & {});
  /** Address of the host that it listens at; null where libvirt's configuration says. */
  address: string | null;
  /** Network of libvirt's whose address it listens at. */
  network: string | null;
  /** A unix socket that it listens at. */
  socket: string | null;
  /** Ports of its own; empty when libvirt chooses them. */
  ports: readonly number[];
  hasGl: boolean;
}

export function readGraphics(domain: XmlElement): Graphics[] {
  return childrenOf(elementAt(domain, "devices"), "graphics").map((graphics) => {
    const listen = elementAt(graphics, "listen");
    const ports = ["port", "tlsPort"].map((name) => Number(attributeOf(graphics, name) ?? -1));
    return {
      type: attributeOf(graphics, "type") ?? "",
      address: attributeOf(listen, "address") ?? attributeOf(graphics, "listen"),
      network: attributeOf(listen, "network"),
      socket: attributeOf(listen, "socket") ?? attributeOf(graphics, "socket"),
      ports: isYes(graphics, "autoport") ? [] : ports.filter((port) => port > 0),
      hasGl: isYes(elementAt(graphics, "gl"), "enable"),
    };
  });
}

/** Whether a video device lets the guest use the host's graphics processor. */
export function readAcceleration(domain: XmlElement): boolean {
  const videos = childrenOf(elementAt(domain, "devices"), "video");
  return videos.some((video) => isYes(elementAt(video, "model", "acceleration"), "accel3d"));
}
