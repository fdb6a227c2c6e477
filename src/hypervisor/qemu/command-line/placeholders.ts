/** What stands for the guest's tap of each host in arguments that are carried along. */
export const tapPlaceholder = "%tap0%";
/** What stands for the file that receives the serial console. */
export const consolePlaceholder = "%console%";
