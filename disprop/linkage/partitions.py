def link_partitioned():
    pass
