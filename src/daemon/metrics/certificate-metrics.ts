import { X509Certificate } from "node:crypto";
import type { Instruments } from "./instruments.ts";

/** Until when this host's certificates are valid. */
export class CertificateMetrics {
  readonly #expiry;

  constructor(instruments: Instruments) {
    this.#expiry = instruments.gauge(
      "sojourn_certificate_expiry_timestamp_seconds",
      "When a certificate of this host ends, in seconds since 1970: the peer API's and its authority's.",
      ["certificate"],
    );
  }

  /** @param pem of the certificates that the daemon uses from now on; what is none is left out. */
  know(pem: Record<"peer" | "authority", Buffer>): void {
    for (const [certificate, bytes] of Object.entries(pem)) {
      const endMs = endOf(bytes);
      if (endMs !== null) this.#expiry.set({ certificate }, endMs / 1000);
    }
  }
}

function endOf(pem: Buffer): number | null {
  try {
    return new X509Certificate(pem).validToDate.getTime();
  } catch {
    return null;
  }
}
