/* plugin_empty: a shared object that is no plug-in. */
int plugin_empty(void);

int plugin_empty(void)
{
    return 0;
}
