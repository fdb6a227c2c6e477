/** Largest request body that any of the daemon's APIs reads. */
export const maxBodyBytes = 50 * 1024;

/** Longest path parameter that is looked at; names are at most 63 bytes. */
export const maxParameterLength = 100;
