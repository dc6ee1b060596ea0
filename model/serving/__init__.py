"""What a registered model is: package_info, packaged; ensemble; fed with raw bars."""
