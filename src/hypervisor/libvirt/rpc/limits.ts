/** Longest string of the protocol (`REMOTE_STRING_MAX`). */
export const longestTextBytes = 4 * 1024 * 1024;

/** Longest migration cookie of the protocol (`REMOTE_MIGRATE_COOKIE_MAX`). */
export const longestCookieBytes = 4 * 1024 * 1024;

/** Longest list of domains of the protocol (`REMOTE_DOMAIN_LIST_MAX`). */
export const longestDomainList = 16_384;

/** Longest list of typed parameters in what is used here (migrations, job statistics). */
export const longestParameterList = 64;

/**
 * Longest packet that is taken. The protocol's own limit is 32 MiB (`VIR_NET_MESSAGE_MAX`); the longest reply that is
 * asked for here has one string and one cookie.
 */
export const longestPacketBytes = longestTextBytes + longestCookieBytes + 64 * 1024;

/** Longest packet that libvirt takes (`VIR_NET_MESSAGE_MAX`, and the length itself). */
export const longestSentPacketBytes = 32 * 1024 * 1024;

/** Packets that nobody has to read are not written to a socket with more than this under way. */
export const longestBacklogBytes = 1024 * 1024;

/** Calls that wait for their turn. */
export const mostWaitingCalls = 256;

/** Events that came before the reply which says whose they are. */
export const mostHeldEvents = 256;
