/** What a driver may be asked to support (`virDrvFeature`), as far as it matters here. */
export const Feature = {
  /** A managed migration's phases, third version. */
  migrationV3: 6,
  /** The domain is protected from changes from begin on. */
  changeProtection: 7,
  /** The connection answers and sends keepalive packets from now on. */
  keepalive: 10,
  /** XML for a migration can be asked for. */
  migratableXml: 11,
  /** The phases take typed parameters. */
  migrationParameters: 13,
  /** Events carry the number of their registration. */
  eventCallback: 14,
  closeCallback: 15,
} as const;
