#include "oracle/answer/site.h"
enum status site_bytes_check(const struct site_case *c, char operand, struct site_finding *f, struct error *e)
{ (void)c; (void)operand; (void)f; (void)e; return STATUS_OK; }
enum status site_b_check(const struct site_case *c, struct site_finding *f, struct error *e)
{ return site_bytes_check(c, 'B', f, e); }
enum status site_d_check(const struct site_case *c, struct site_finding *f, struct error *e)
{ (void)c; (void)f; (void)e; return STATUS_OK; }
enum status site_epilogue_check(const struct site_case *c, struct site_finding *f, struct error *e)
{ (void)c; (void)f; (void)e; return STATUS_OK; }
