"""What a registered model is: package_info, packaged (belonging, same_series); ensemble; fed with raw bars."""
