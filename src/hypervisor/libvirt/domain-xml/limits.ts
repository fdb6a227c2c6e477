/** Longest description of a domain that is read, in bytes of UTF-8. */
export const longestDomainXmlBytes = 1024 * 1024;

/** Elements within one another; the parser of libvirt itself (libxml2, `xmlParserMaxDepth`) goes no deeper. */
export const deepestElement = 256;

/** Elements of a description. A domain with 4096 processors, each with its settings, stays below. */
export const mostElements = 32_768;
